"""Checks for clips that are in two parts at once: results on them tell what was remembered."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from pathlib import Path

import numpy as np

from workbench.data.doctor.checks import Finding, Note, Survey, check

#: Grey levels by which glimpses of the same film differ when it is encoded again: everywhere, and at the worst place.
MEAN, WORST = 2.0, 14.0


@check(
    "files in one part",
    "No file, byte for byte, is in two parts. All files are compared, even if only a sample is examined.",
    scope="set",
)
def same_files(survey: Survey) -> list[Finding] | None:
    if len(survey.parts) < 2:
        return None
    sizes = defaultdict(list)
    for part, data in survey.parts.items():
        # Where one archive holds the films of all parts, its own name says nothing.
        for i, path in enumerate(() if hasattr(data.reader, "video") else data.videos):
            if os.path.isfile(path):
                sizes[os.path.getsize(path)].append((part, i))
    findings = []
    for clips in sizes.values():
        if len({part for part, _ in clips}) < 2:
            continue
        contents = defaultdict(list)
        for part, i in clips:
            contents[_digest(survey.parts[part].videos[i])].append((part, i))
        findings += [_twin(survey, *copies) for copies in contents.values() if len({part for part, _ in copies}) > 1]
    return findings


def _twin(survey: Survey, first: tuple[str, int], *copies: tuple[str, int]) -> Finding:
    part, i = next(clip for clip in copies if clip[0] != first[0])
    name, copy = survey.parts[first[0]].ids[first[1]], survey.parts[part].ids[i]
    return Finding(f"{name} ({first[0]}) and {copy} ({part}) are the same file", 1, (part, i))


def _digest(path: str | Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@check(
    "films in one part",
    "No film is in two parts, even in another encoding. This check finds clips whose pictures agree from first to "
    "last. In a sample, only clips of the sample are compared.",
    scope="notes",
)
def same_films(survey: Survey) -> list[Finding] | None:
    if len({note.clip[0] for note in survey.notes}) < 2:
        return None
    notes = sorted(survey.notes, key=lambda note: float(note.glimpses.mean()))
    means = [float(note.glimpses.mean()) for note in notes]
    findings, start = [], 0
    for end, note in enumerate(notes):
        # Equal films are equally bright: only neighbours in brightness can be twins.
        while means[end] - means[start] > MEAN:
            start += 1
        findings += [
            Finding(f"{earlier.id} ({earlier.clip[0]}) and {note.id} ({note.clip[0]}) show the same", 1, note.clip)
            for earlier in notes[start:end]
            if earlier.clip[0] != note.clip[0] and _show_same(earlier, note)
        ]
    return findings


def _show_same(note: Note, twin: Note) -> bool:
    if abs(note.frames - twin.frames) > max(2, 0.02 * note.frames):
        return False
    apart = np.abs(note.glimpses.astype(np.int16) - twin.glimpses)
    # A blank film is like any other blank film.
    return bool(apart.mean() <= MEAN and apart.max() <= WORST and note.glimpses.std() > 2)
