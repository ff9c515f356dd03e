"""All checks over a data set, and what they found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from safefiles.processes import cores
from workbench.data import catalog
from workbench.data.catalog import SPLITS
from workbench.data.dataset import Dataset

# They register their checks.
from workbench.data.doctor import check_files, check_joints, check_pictures, check_tables, check_twins  # noqa: F401
from workbench.data.doctor.case import Case
from workbench.data.doctor.checks import CHECKS, Check, Finding, Note, Survey

#: Clips that are examined unless all are asked for.
SAMPLE = 200


@dataclass
class Result:
    """One check's verdict: measured is how many clips (or 1, the set) it could judge, findings are worst first."""

    check: Check
    measured: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """ "ok", "warning", "error", or "not measured"."""
        if not self.measured:
            return "not measured"
        if not self.findings:
            return "ok"
        tolerated = self.check.scope == "clip" and len(self.findings) <= self.check.tolerance * self.measured
        return "warning" if tolerated else self.check.severity

    @property
    def count(self) -> str:
        """How many findings, and of how many clips where clips are judged one by one; "" where nothing was."""
        if not self.measured:
            return ""
        return f"{len(self.findings)} of {self.measured}" if self.check.scope == "clip" else str(len(self.findings))


@dataclass(frozen=True)
class Report:
    """What ``examine`` found in the data set ``name``; ``examined`` is how many clips of ``parts`` were looked at."""

    name: str
    parts: dict[str, Dataset]
    examined: int
    results: list[Result]

    @property
    def errors(self) -> list[str]:
        """The names of the checks by which training would be wrong."""
        return [result.check.name for result in self.results if result.verdict == "error"]

    @property
    def warnings(self) -> list[str]:
        """The names of the checks that warn."""
        return [result.check.name for result in self.results if result.verdict == "warning"]

    def result(self, name: str) -> Result:
        """That of the check called ``name``."""
        return next(result for result in self.results if result.check.name == name)

    def summary(self) -> str:
        """One sentence: what was examined and how it went."""
        text = f"{self.name}: {self.examined} of {sum(map(len, self.parts.values()))} clips examined, "
        if self.errors:
            return f"{text}training would be wrong: {', '.join(self.errors)}"
        if self.warnings:
            return f"{text}no errors, warnings: {', '.join(self.warnings)}"
        return f"{text}no errors, no warnings"

    def text(self) -> str:
        """The table (check, verdict, count, example) and the summary."""
        rows = [("check", "verdict", "count", "example")]
        for result in self.results:
            example = _short(result.findings[0].text) if result.findings else ""
            rows.append((result.check.name, result.verdict, result.count, example))
        widths = [max(len(row[k]) for row in rows) for k in range(3)]
        lines = [
            "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, "", self.summary()])


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 110 else f"{flat[:109]}…"


def open_parts(name: str, root: str | Path | None = None, protocol: str | None = None) -> dict[str, Dataset]:
    """The parts of a data set that hold clips, by name: train, validation, test. Raises what ``open_dataset`` raises,
    and ValueError where no part holds a clip."""
    parts = catalog.open_parts(name, root, protocol)
    filled = {split: data for split, data in parts.items() if len(data)}
    if not filled:
        raise ValueError(f"{root or name}: no part of {', '.join(SPLITS)} holds a clip")
    return filled


def examine(
    parts: dict[str, Dataset], sample: int | None = SAMPLE, seed: int = 0, skip: Sequence[str] = (), workers: int = 0
) -> Report:
    """Runs every check but those named in ``skip`` over ``sample`` clips (None: all) of the parts, with a progress bar.

    The sample is drawn with ``seed`` from all parts alike; what tables and files tell at a glance is checked of all
    clips. ``workers`` threads (0: one a core) look at one clip each at a time, and only what is found is kept.
    ValueError for an unknown name in ``skip`` or an empty sample.
    """
    unknown = sorted(set(skip) - {check.name for check in CHECKS})
    if unknown:
        raise ValueError(f"there is no check {unknown[0]!r}; there are: {', '.join(check.name for check in CHECKS)}")
    if sample is not None and sample < 1:
        raise ValueError(f"sample must be at least 1, got {sample}")
    checks = [check for check in CHECKS if check.name not in skip]
    clips = _choose(parts, sample, seed)
    results = {check.name: Result(check) for check in checks}
    survey = Survey(parts)
    noting = any(check.scope == "notes" for check in checks)
    look = partial(_look, parts, [check for check in checks if check.scope == "clip"], noting)
    with ThreadPoolExecutor(workers or cores()) as pool:
        for clip_findings, note in tqdm(pool.map(look, clips), "examining clips", len(clips), unit="clip"):
            survey.notes.extend(filter(None, [note]))
            for name, finding in clip_findings:
                results[name].measured += 1
                results[name].findings += [finding] if finding.text else []
    for check in checks:
        if check.scope != "clip" and (findings := check.function(survey)) is not None:
            results[check.name] = Result(check, 1, findings)
    for result in results.values():
        result.findings.sort(key=lambda finding: -finding.badness)
    data = next(iter(parts.values()))
    return Report(f"{data.name} ({data.protocol})", parts, len(clips), list(results.values()))


def _choose(parts: dict[str, Dataset], sample: int | None, seed: int) -> list[tuple[str, int]]:
    """The clips that are examined, as many of each part as its share of all, at least one."""
    share = 1.0 if sample is None else min(1.0, sample / sum(map(len, parts.values())))
    rng = np.random.default_rng(seed)
    return [
        (part, i)
        for part, data in parts.items()
        for i in sorted(rng.permutation(len(data))[: max(1, round(share * len(data)))].tolist())
    ]


def _look(
    parts: dict[str, Dataset], checks: Iterable[Check], noting: bool, clip: tuple[str, int]
) -> tuple[list[tuple[str, Finding]], Note | None]:
    """What the checks say of one clip, and what is to be kept of it."""
    case, findings = Case(parts[clip[0]], clip[1]), []
    for check in checks:
        subject = getattr(case, check.reads) if check.reads else case
        finding = None if subject is None else check.function(subject)
        if finding is not None:
            text = f"{case.id}: {finding.text}" if finding.text else ""
            findings.append((check.name, Finding(text, finding.badness, clip)))
    if not noting or case.info is None:
        return findings, None
    return findings, Note(clip, case.id, case.info.fps, case.info.frames, case.glimpses, case.info.pixel_aspect)
