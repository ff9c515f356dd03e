"""What lies in a folder of videos: files that can be read, poses beside them, and what is left out and why."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from workbench.data import spelling
from workbench.data.files.safe_folder import Folder
from workbench.data.formats import openpose, posefiles

#: How names of video files end.
VIDEOS = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ts", ".mts"}

#: Names of pictures, and of films that ffmpeg makes videos of.
PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm"}
FILMS = {".gif", ".h264", ".264", ".h265", ".265", ".hevc", ".vob", ".ogv", ".asf", ".mxf", ".divx", ".m2ts"}


@dataclass
class Proposal:
    """table: the manifest's rows, paths relative to ``folder``; what was assumed, and what to look at."""

    folder: Path
    table: pd.DataFrame
    assumptions: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def warn(self, problem: str, cases: list[str]) -> None:
        """``cases``, if there are any, the first five by name."""
        if cases:
            more = f", and {len(cases) - 5} more" if len(cases) > 5 else ""
            self.warnings.append(f"{problem} ({len(cases)}): {', '.join(cases[:5])}{more}")


def paths(root: Path, proposal: Proposal) -> list[Path]:
    """All files below ``root`` whose names can be written down, relative to it, sorted; hidden ones are left out, and
    others named."""
    files, shut, linked = [], [], []
    for base, folders, names in os.walk(root, onerror=lambda problem: shut.append(str(problem.filename))):
        files += [os.path.relpath(os.path.join(base, name), root) for name in names]
        links = [os.path.join(base, name) for name in folders if os.path.islink(os.path.join(base, name))]
        linked += [spelling.readable(os.path.relpath(path, root)) for path in links]
    files = [name for name in files if not any(part.startswith(".") for part in Path(name).parts)]
    unreadable = [spelling.readable(name) for name in files if not spelling.is_text(name)]
    proposal.warn("files with names that are not UTF-8, left out; rename them", unreadable)
    proposal.warn("links to folders, left out; replace them by the folders or by copies", linked)
    proposal.warn("folders without read permission, left out", [spelling.readable(name) for name in shut])
    return sorted(Path(name) for name in files if spelling.is_text(name))


def poses(root: Path, safe: Folder, videos: list[str], proposal: Proposal) -> list[str]:
    """The poses beside each video, "" where there are none: of its whole name, or of its name without suffix where no
    other video is called so."""
    stems = Counter(str(Path(video).with_suffix("")) for video in videos)
    pose_paths, shared = [], set()
    for video in videos:
        stem = str(Path(video).with_suffix(""))
        path = _beside(root, safe, video)
        if not path and (path := _beside(root, safe, stem)) and stems[stem] > 1:
            shared.add(path)
            path = ""
        pose_paths.append(path)
    problem = "pose files that fit several videos, left out; name them after the full file name, such as ann.mp4.npz"
    proposal.warn(problem, sorted(shared))
    return pose_paths


def _beside(root: Path, safe: Folder, name: str) -> str:
    """The file or folder of poses of a video, or of what it is called without suffix."""
    for suffix in posefiles.READERS:
        if safe.find(f"{name}{suffix}")[0]:
            return f"{name}{suffix}"
    for suffix in ("", "_json", "_keypoints", "_openpose"):
        if openpose.is_folder(root / f"{name}{suffix}") and safe.find(f"{name}{suffix}", True)[0]:
            return f"{name}{suffix}"
    return ""


def warn_of_others(root: Path, others: list[Path], table: pd.DataFrame, proposal: Proposal) -> None:
    """Names what is no video, and what to do about it."""
    folders = {name for name in table["pose"] if name and (root / name).is_dir()}
    others = [path for path in others if path.parent.as_posix() not in folders and not posefiles.ending(path)]
    # Manifests that were made before.
    others = [path for path in others if len(path.parts) > 1 or path.suffix not in (".csv", ".parquet", ".yaml")]
    pictures = Counter(path.parent.as_posix() for path in others if path.suffix.lower() in PICTURES)
    proposal.warn(
        "folders of pictures, left out; `ffmpeg -framerate 25 -pattern_type glob -i 'FOLDER/*.jpg' FOLDER.mp4` makes a "
        "video of each",
        [f"{name} ({count})" for name, count in sorted(pictures.items())],
    )
    for suffix in sorted({path.suffix.lower() for path in others} & FILMS):
        names = [path.as_posix() for path in others if path.suffix.lower() == suffix]
        name, stem = names[0], str(Path(names[0]).with_suffix(""))
        way = f"`ffmpeg -i {shlex.quote(name)} {shlex.quote(stem)}.mp4` makes a video of the first"
        proposal.warn(f"{suffix} files, left out; {way}", names)
    rest = Counter(path.suffix.lower() or path.name for path in others if path.suffix.lower() not in PICTURES | FILMS)
    proposal.warn("files that are not videos, left out", [f"{count} x {suffix}" for suffix, count in rest.items()])
