"""How good estimated poses are: numbers for every clip, and a page with its worst frames."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from safefiles import drafts
from workbench.data.dataset import Dataset
from workbench.data.doctor.portraits import portrait
from workbench.data.doctor.report_page import figure, page
from workbench.types import Pose

#: A frame is doubtful where nobody is found, where the joints are on average less sure than this, or where the body
#: jumps by more than its trunk's length, as it does where another person is taken for it.
SURE = 0.5
#: Clips with a picture on the page, the worst first.
SHOWN = 300


def measure(dataset: Dataset) -> pd.DataFrame:
    """One row a clip that has poses, the one with most doubtful frames first.

    clip: its position. seen, several, doubtful: shares of its frames with a person, with more than one, and in doubt.
    confidence: the mean over joints that are found, NaN where the poses have none. jitter: the standard deviation of a
    coordinate's noise from frame to frame, as a share of the trunk's length. frames: the doubtful ones, by number.
    """
    rows = []
    for i, name in enumerate(tqdm(dataset.ids, "judging poses", unit="clip", disable=len(dataset) < 20)):
        try:
            pose = dataset.pixels(i) or dataset.pose(i)
        except (ValueError, OSError):  # a clip that can't be read has been named before
            continue
        if pose is not None:
            rows.append({"clip": i, "id": name, **of_clip(pose)})
    columns = ["clip", "id", "seen", "several", "confidence", "jitter", "doubtful", "frames"]
    return pd.DataFrame(rows, columns=columns).sort_values("doubtful", ascending=False, kind="stable")


def of_clip(pose: Pose) -> dict:
    """The numbers of one clip (see ``measure``)."""
    finite = np.isfinite(pose.joints).all(axis=3)  # [M,T,V]
    people = finite.any(axis=2).sum(axis=0)
    body, mask = pose.joints[0].astype(np.float64), finite[0]
    middle, trunk = _middle(body, mask), _trunk(pose)
    with np.errstate(invalid="ignore"):
        jumps = np.append(False, np.linalg.norm(np.diff(middle, axis=0), axis=1) > trunk)
        noise = np.abs(np.diff(body, n=2, axis=0)) / np.sqrt(6)  # of the second difference of independent noise
    # The median of |x| is 0.6745 standard deviations.
    jitter = float(np.nanmedian(noise) / 0.6745 / trunk) if np.isfinite(noise).any() and trunk else float("nan")
    sure = np.full(len(people), np.nan)
    if pose.confidence is not None and mask.any():
        total = np.where(mask, pose.confidence[0], 0).sum(axis=1)
        sure = np.divide(total, mask.sum(axis=1), out=sure, where=mask.any(axis=1))
    doubtful = (people == 0) | jumps | (sure < SURE)
    return {
        "seen": float((people > 0).mean()),
        "several": float((people > 1).mean()),
        "confidence": float(np.nanmean(sure)) if np.isfinite(sure).any() else float("nan"),
        "jitter": jitter,
        "doubtful": float(doubtful.mean()),
        "frames": np.flatnonzero(doubtful).tolist(),
    }


def _middle(body: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """float64 [T,D]: the mean of the joints that are found; NaN where none is."""
    count = mask.sum(axis=1)[:, None].astype(np.float64)
    total = np.where(mask[..., None], body, 0).sum(axis=1)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _trunk(pose: Pose) -> float:
    """The median distance from the middle of the hips to that of the shoulders, 0 where it is never seen."""
    body = pose.joints[0].astype(np.float64)
    ends = [body[:, joints].mean(axis=1) for joints in (pose.skeleton.hips, pose.skeleton.shoulders)]
    lengths = np.linalg.norm(ends[0] - ends[1], axis=1)
    return float(np.median(lengths[np.isfinite(lengths)])) if np.isfinite(lengths).any() else 0.0


def sentences(quality: pd.DataFrame) -> list[str]:
    """The same of all clips, in words."""
    if quality.empty:
        return ["pose quality: no clip has poses"]
    mean, worst = quality.mean(numeric_only=True), quality[quality["doubtful"] > 0].head(3)
    numbers = [f"a person in {mean['seen']:.0%} of the frames"]
    numbers += [f"more than one in {mean['several']:.0%}"] if mean["several"] else []
    numbers += [f"jitter {mean['jitter']:.1%} of the trunk's length"] if np.isfinite(mean["jitter"]) else []
    numbers += [f"confidence {mean['confidence']:.2f}"] if np.isfinite(mean["confidence"]) else []
    named = ", ".join(f"{row.id} ({row.doubtful:.0%})" for row in worst.itertuples())
    return [
        f"pose quality: {', '.join(numbers)}",
        f"doubtful frames (nobody, confidence below {SURE}, or a jump to another place): {mean['doubtful']:.0%}"
        + (f", most in {named}" if named else ""),
        *([] if mean["several"] else ["one person is followed: where several are in the picture, look for jumps"]),
    ]


def write(dataset: Dataset, quality: pd.DataFrame, path: str | os.PathLike) -> Path:
    """Writes the page with a picture of every clip, at its doubtful frames where it has such, atomically; returns its
    path. Of more than ``SHOWN`` clips the worst are there."""
    shown = tqdm(quality.head(SHOWN).to_dict("records"), "drawing poses", unit="clip", disable=len(quality) < 20)
    figures = "".join(_figure(dataset, row) for row in shown)
    lines = "".join(f"<p>{escape(line)}</p>" for line in sentences(quality))
    rest = len(quality) - SHOWN
    more = f"<p>{rest} clips with fewer doubtful frames are not shown.</p>" if rest > 0 else ""
    main = f"<section>{lines}</section>{figures}{more}"
    drafts.write(Path(path), page("Poses", "<h1>Poses, the most doubtful first</h1>", main).encode())
    return Path(path)


def _figure(dataset: Dataset, row: dict) -> str:
    frames = row["frames"]
    chosen = [frames[k] for k in np.linspace(0, len(frames) - 1, min(3, len(frames))).astype(int)] if frames else None
    doubt = "no doubt"
    if chosen:
        doubt = f"doubtful in {row['doubtful']:.0%} of the frames, here {', '.join(map(str, chosen))}"
    text = f"{row['id']}: {doubt}; a person in {row['seen']:.0%}"
    return figure(portrait(dataset, row["clip"], chosen), text)
