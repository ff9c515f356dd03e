"""What in files of events cannot count as somebody meant it: told, with what the rule makes of it, never changed."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

from workbench.metrics.event_tables import ambiguous, checked

#: What a rule makes of intervals that end before they start.
REVERSED = {
    "thumos": "are read with their ends exchanged, as the kit does",
    "activitynet": "overlap nothing: detections are wrong, truths are missed, as in the official script",
    "pku": "overlap nothing or little: detections are wrong, truths are missed, as in the official script",
    "tsu": "overlap nothing or little: detections are wrong, truths are missed, as in the official script",
}


class Entries(UserWarning):
    """Entries of a file that cannot count: how many, why, and what becomes of them."""


def tell(predictions: pd.DataFrame, truth: pd.DataFrame, rule: str, where: object, there: object) -> None:
    """Warns of the rows of ``predictions`` (read from ``where``) and ``truth`` (from ``there``) that cannot count or
    that count twice: intervals that end before they start or have no length, repeated rows, and detections of videos
    in which nothing happens, which are wrong under every rule."""
    predictions = checked(predictions, "table of predictions", scored=True)
    truth = checked(truth, "ground truth", scored=False)
    for table, path, content in ((predictions, where, "detections"), (truth, there, "events")):
        start, end = table["start"].to_numpy(), table["end"].to_numpy()
        _warn(table, end < start, path, f"{content} that end before they start", REVERSED[rule])
        _warn(table, end == start, path, f"{content} without length", "overlap nothing: they are wrong, or missed")
        columns = ["video", "label", "start", "end"]
        again = table.duplicated(columns).to_numpy()
        twice = "are counted again, each a wrong detection" if content == "detections" else "are to be found again"
        twice = twice if rule in ("thumos", "activitynet") or content == "events" else "stay in the denominator"
        _warn(table, again, path, f"{content} that are there already", twice)
    labels = {str(label) for label in truth["label"]}
    strange = ~predictions["label"].map(str).isin(labels).to_numpy()
    if more := _like({str(label) for label in predictions["label"][strange]}, labels, "labels"):
        _warn(predictions, strange, where, f"detections of labels that are not in {there}", f"do not count{more}")
    videos = set(truth["video"][~ambiguous(truth)])
    unknown = ~predictions["video"].isin(videos).to_numpy()
    more = _like(set(predictions["video"][unknown]), videos, "videos")
    _warn(predictions, unknown, where, f"detections of videos that have no event in {there}", f"are all wrong{more}")


def unread(table: pd.DataFrame, kept: np.ndarray, where: object, why: str) -> None:
    """Warns of the rows of ``table`` that are not ``kept``."""
    _warn(table, ~kept, where, why, "are left out")


def of_charades(scores: dict[str, np.ndarray], lengths: dict[str, float], where: object, there: object) -> dict:
    """``scores`` of the videos that have a length; warns of others, which the official script leaves out, and of
    videos without scores, which it ranks last."""
    unknown, gone = sorted(set(scores) - set(lengths)), sorted(set(lengths) - set(scores))
    if unknown:
        more = _like(set(unknown), set(lengths), "videos")
        text = f"{where}: scores of {len(unknown)} videos that {there} has not are left out{more}: {_some(unknown)}"
        warnings.warn(text, Entries, stacklevel=4)
    if gone:
        text = (
            f"{where}: {len(gone)} of the {len(lengths)} videos of {there} have no scores and rank last: {_some(gone)}"
        )
        warnings.warn(text, Entries, stacklevel=4)
    return {video: scores[video] for video in scores if video in lengths}


def repeated(names: list[str], where: object, content: str) -> None:
    """Warns that some of ``names`` occur more than once in a file, of which the last counts."""
    again = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if again:
        text = f"{where}: {len(again)} {content} occur more than once, the last counts, as in the official script"
        warnings.warn(f"{text}: {_some(again)}", Entries, stacklevel=4)


def missing(videos: set[str], detected: set[str], there: object, where: object) -> None:
    """Warns that ``videos`` of the truth have no file of detections."""
    gone = sorted(videos - detected)
    if gone:
        text = f"{there}: {len(gone)} videos have no file in {where} and are left out, as in the official script"
        warnings.warn(f"{text}: {_some(gone)}", Entries, stacklevel=4)


def _warn(table: pd.DataFrame, rows: np.ndarray, path: object, content: str, becomes: str) -> None:
    if rows.any():
        cases = [f"{row.video} {row.label!r} {row.start:g} to {row.end:g}" for row in table[rows].head(3).itertuples()]
        more = f", and {int(rows.sum()) - 3} more" if rows.sum() > 3 else ""
        warnings.warn(
            f"{path}: {int(rows.sum())} of {len(table)} {content} {becomes}: {', '.join(cases)}{more}",
            Entries,
            stacklevel=5,
        )


#: Ways in which the names of one video differ.
_FORMS: tuple[tuple[Callable[[str], str], str], ...] = (
    (lambda name: name.removeprefix("v_"), "but for v_ in front"),
    (lambda name: re.sub(r"\.(mp4|avi|mkv|webm|mov)$", "", name, flags=re.IGNORECASE), "but for the suffix"),
    (lambda name: name.rpartition("/")[2], "but for the folder"),
    (lambda name: " ".join(name.replace("_", " ").casefold().split()), "but for capitals or blanks"),
)


def _like(names: set[str], others: set[str], content: str) -> str:
    """How many of ``names`` are known in another form, and in which."""
    for form, words in _FORMS:
        forms = {form(name) for name in others}
        count = sum(form(name) in forms for name in names)
        if count:
            return f" (the names of {count} of these {len(names)} {content} are there {words})"
    return ""


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f", and {len(names) - 3} more" if len(names) > 3 else "")
