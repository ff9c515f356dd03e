"""Checks of video files."""

from __future__ import annotations

import numpy as np

from workbench.data.doctor.case import Case
from workbench.data.doctor.checks import FINE, Finding, Survey, check
from workbench.media.video import VideoInfo

#: Frames per second that cameras and data sets have.
USUAL_RATES = (5.0, 61.0)

#: Pixels whose shapes differ by less look alike: encoders round 1 to 65536:65535.
SAME_SHAPE = 0.01


@check(
    "readable videos",
    "Every video can be decoded from its first frame to its last. Training leaves out unreadable videos, and stops if "
    "more than one clip in fifty is unreadable.",
    tolerance=0.02,
)
def readable(case: Case) -> Finding | None:
    if not case.filmed:
        return None
    return Finding(case.video_problem) if case.video_problem else FINE


@check(
    "frame counts",
    "The number of frames in the table equals the number of decoded frames. Poses, intervals and windows are placed "
    "by frame number.",
    tolerance=0.02,
)
def frame_counts(case: Case) -> Finding | None:
    if case.info is None or "frames" not in case.row.index:
        return None
    stated, decoded = int(case.row["frames"]), case.info.frames
    if stated == decoded:
        return FINE
    return Finding(f"the table says {stated} frames, decoding gives {decoded}", abs(stated - decoded))


@check(
    "pictures",
    "Pictures are neither blank nor frozen. A recorder that loses its camera writes such pictures.",
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
    "All videos have the same constant frame rate. At a higher rate, the same number of frames covers less of an "
    "action.",
    severity="warning",
    scope="notes",
)
def frame_rates(survey: Survey) -> list[Finding] | None:
    if not survey.notes:
        return None
    rates = np.array([note.fps for note in survey.notes])
    usual = float(np.median(rates))
    findings = []
    for note, rate in zip(survey.notes, rates, strict=True):
        if not USUAL_RATES[0] <= rate <= USUAL_RATES[1]:
            findings.append(Finding(f"{note.id}: {rate:.4g} frames per second", 100, note.clip))
        elif abs(rate - usual) > 0.03 * usual:
            text = f"{note.id}: {rate:.4g} frames per second, most have {usual:.4g}"
            findings.append(Finding(text, abs(np.log(rate / usual)), note.clip))
    return findings


@check(
    "frame rate in the table",
    "The frame rate in the table equals that of the file. Intervals in seconds are placed by the file's time stamps.",
    severity="warning",
)
def stated_rate(case: Case) -> Finding | None:
    if case.info is None or "fps" not in case.row.index or not np.isfinite(case.row["fps"]):
        return None
    stated, decoded = float(case.row["fps"]), case.info.fps
    if abs(stated - decoded) <= 0.02 * decoded:
        return FINE
    return Finding(
        f"the table says {stated:.4g} frames per second, the file has {decoded:.4g}", abs(np.log(stated / decoded))
    )


@check(
    "steady time",
    "Frames have equal time steps. If they do not, equal numbers of frames have different durations. Intervals in "
    "seconds are still placed by the time stamps of the frames.",
    severity="warning",
    reads="info",
)
def steady(info: VideoInfo) -> Finding:
    return Finding("frames come in unequal steps") if info.variable_rate else FINE


@check(
    "notes on files",
    "The files need no special treatment: each has one video stream, with time stamps.",
    severity="warning",
    reads="info",
)
def noted(info: VideoInfo) -> Finding:
    return Finding(info.note.removeprefix(f"{info.path}: ")) if info.note else FINE


@check(
    "pixel aspect",
    "The pixels of all videos have the same shape. Pictures are read pixel by pixel, like most pose estimators do, "
    "whatever shape a player gives them. With two shapes, the same person is broader in one video than in the other. "
    "`ffmpeg -i IN -vf scale=iw*sar:ih,setsar=1 OUT` makes pixels square.",
    severity="warning",
    scope="notes",
)
def pixel_aspect(survey: Survey) -> list[Finding] | None:
    if not survey.notes:
        return None
    shapes = np.array([note.pixel_aspect for note in survey.notes])
    usual = float(np.median(shapes))
    return [
        Finding(
            f"{note.id}: pixels {shape:.3f} times as wide as high, most are {usual:.3f}",
            abs(np.log(shape / usual)),
            note.clip,
        )
        for note, shape in zip(survey.notes, shapes, strict=True)
        if abs(shape - usual) > SAME_SHAPE * usual
    ]
