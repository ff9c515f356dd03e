"""Checks of video files."""

from __future__ import annotations

import numpy as np

from workbench.data.doctor.case import Case
from workbench.data.doctor.registry import FINE, Finding, Survey, check

#: Frames per second that cameras and data sets have.
USUAL_RATES = (5.0, 61.0)


@check(
    "readable videos",
    "Every video is decoded from its first frame to its last. Training leaves out what can't be read, and stops where "
    "that is more than one clip in fifty.",
    tolerance=0.02,
)
def readable(case: Case) -> Finding:
    return Finding(case.video_problem) if case.video_problem else FINE


@check(
    "frame counts",
    "The table says as many frames as decoding gives. Poses, intervals and windows are placed by frame number.",
    tolerance=0.02,
)
def frame_counts(case: Case) -> Finding | None:
    if case.info is None or "frames" not in case.row.index:
        return None
    said, found = int(case.row["frames"]), case.info.frames
    if said == found:
        return FINE
    return Finding(f"the table says {said} frames, decoding gives {found}", abs(said - found))


@check(
    "pictures",
    "Pictures are neither blank nor frozen, as those of a recorder that lost its camera are.",
    severity="warning",
)
def pictures(case: Case) -> Finding | None:
    if case.info is None:
        return None
    if case.window.std(axis=(1, 2)).max() < 2:
        return Finding("all pictures are blank", 2)
    # Compression alone makes a frozen picture flicker by some levels.
    if len(case.window) > 1 and not case.changed.any() and np.ptp(case.glimpses.astype(int), axis=0).max() <= 6:
        return Finding("the picture never changes", 1)
    return FINE


@check(
    "frame rates",
    "All videos have one steady, usual frame rate. A network that sees so many frames sees less of an action the "
    "faster they come.",
    severity="warning",
    of="notes",
)
def frame_rates(survey: Survey) -> list[Finding] | None:
    if not survey.notes:
        return None
    rates = np.array([note.fps for note in survey.notes])
    usual = float(np.median(rates))
    found = []
    for note, rate in zip(survey.notes, rates, strict=True):
        if not USUAL_RATES[0] <= rate <= USUAL_RATES[1]:
            found.append(Finding(f"{note.id}: {rate:.4g} frames per second", 100, note.clip))
        elif abs(rate - usual) > 0.03 * usual:
            text = f"{note.id}: {rate:.4g} frames per second, most have {usual:.4g}"
            found.append(Finding(text, abs(np.log(rate / usual)), note.clip))
    return found


@check(
    "frame rate in the table",
    "The table says the frame rate that the file has. Intervals in seconds are placed by it.",
    severity="warning",
)
def stated_rate(case: Case) -> Finding | None:
    if case.info is None or "fps" not in case.row.index or not np.isfinite(case.row["fps"]):
        return None
    said, found = float(case.row["fps"]), case.info.fps
    if abs(said - found) <= 0.02 * found:
        return FINE
    return Finding(f"the table says {said:.4g} frames per second, the file has {found:.4g}", abs(np.log(said / found)))


@check(
    "steady time",
    "Frames follow each other in equal steps. Where they do not, a frame number is no moment.",
    severity="warning",
)
def steady(case: Case) -> Finding | None:
    if case.info is None:
        return None
    return Finding("frames come in unequal steps") if case.info.variable_rate else FINE
