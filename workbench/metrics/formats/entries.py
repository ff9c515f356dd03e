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


def tell(predictions: pd.DataFrame, truth: pd.DataFrame, rule: str, path: object, truth_path: object) -> None:
    """Warns of the rows of ``predictions`` (of ``path``) and ``truth`` (of ``truth_path``) that cannot count or that
    count twice: intervals that end before they start or have no length, repeated rows, and detections of videos
    in which nothing happens, which are wrong under every rule."""
    predictions = checked(predictions, "table of predictions", scored=True)
    truth = checked(truth, "ground truth", scored=False)
    for table, file, content in ((predictions, path, "detections"), (truth, truth_path, "events")):
        start, end = table["start"].to_numpy(), table["end"].to_numpy()
        _warn(table, end < start, file, f"{content} that end before they start", REVERSED[rule])
        _warn(table, end == start, file, f"{content} without length", "overlap nothing: they are wrong, or missed")
        columns = ["video", "label", "start", "end"]
        again = table.duplicated(columns).to_numpy()
        twice = "are counted again, each a wrong detection" if content == "detections" else "are to be found again"
        twice = twice if rule in ("thumos", "activitynet") or content == "events" else "stay in the denominator"
        _warn(table, again, file, f"{content} that are there already", twice)
    labels = {str(label) for label in truth["label"]}
    strange = ~predictions["label"].map(str).isin(labels).to_numpy()
    if more := _like({str(label) for label in predictions["label"][strange]}, labels, "labels"):
        content = f"detections of labels that are not in {truth_path}"
        _warn(predictions, strange, path, content, f"do not count{more}")
    videos = set(truth["video"][~ambiguous(truth)])
    unknown = ~predictions["video"].isin(videos).to_numpy()
    more = _like(set(predictions["video"][unknown]), videos, "videos")
    content = f"detections of videos that have no event in {truth_path}"
    _warn(predictions, unknown, path, content, f"are all wrong{more}")


def unread(table: pd.DataFrame, counted: np.ndarray, path: object, why: str) -> None:
    """Warns of the rows of ``table`` that are not ``counted``."""
    _warn(table, ~counted, path, why, "are left out")


def of_charades(scores: dict[str, np.ndarray], lengths: dict[str, float], path: object, truth_path: object) -> dict:
    """``scores`` of the videos that have a length; warns of others, which the official script leaves out, and of
    videos without scores, which it ranks last."""
    unknown, gone = sorted(set(scores) - set(lengths)), sorted(set(lengths) - set(scores))
    if unknown:
        more = _like(set(unknown), set(lengths), "videos")
        text = f"{path}: scores of {len(unknown)} videos that {truth_path} has not are left out{more}"
        warnings.warn(f"{text}: {_first(unknown)}", Entries, stacklevel=4)
    if gone:
        text = f"{path}: {len(gone)} of the {len(lengths)} videos of {truth_path} have no scores and rank last"
        warnings.warn(f"{text}: {_first(gone)}", Entries, stacklevel=4)
    return {video: scores[video] for video in scores if video in lengths}


def repeated(names: list[str], path: object, content: str) -> None:
    """Warns that some of ``names`` occur more than once in a file, of which the last counts."""
    again = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if again:
        text = f"{path}: {len(again)} {content} occur more than once, the last counts, as in the official script"
        warnings.warn(f"{text}: {_first(again)}", Entries, stacklevel=4)


def missing(videos: set[str], detected: set[str], truth_path: object, path: object) -> None:
    """Warns that ``videos`` of the truth have no file of detections."""
    gone = sorted(videos - detected)
    if gone:
        text = f"{truth_path}: {len(gone)} videos have no file in {path} and are left out, as in the official script"
        warnings.warn(f"{text}: {_first(gone)}", Entries, stacklevel=4)


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
    for form, difference in _FORMS:
        forms = {form(name) for name in others}
        count = sum(form(name) in forms for name in names)
        if count:
            return f" (the names of {count} of these {len(names)} {content} are there {difference})"
    return ""


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f", and {len(names) - 3} more" if len(names) > 3 else "")
