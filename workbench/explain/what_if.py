"""A session that looks at a clip once and answers many questions about it: what would the network say if ...?

    asked = WhatIf(system, sample, clips.skeleton, clips.classes, grade=metrics.attention.grade)
    answer = asked.ask([Drop(("hand_right",)), Cover((10, 10, 40, 40))])

Only those modules of the system are run again whose inputs a change touches (see ``reuse``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from workbench.explain import outputs
from workbench.explain.reuse import Reuse
from workbench.explain.what_if_clip import Subject
from workbench.types import Batch, Skeleton, Truth

Change = Callable[[Subject], Subject]
#: What a batch holds of the picture.
PICTURED = ("video", "flow", "parts", "rendered", "trajectories", "truth", "part_truth")
#: What the loader makes of the poses, and of the picture: a change of these should reach those too.
DERIVED = {
    "pose": {"rendered", "parts", "segments"},
    "video": {"flow", "parts", "rendered", "trajectories", "segments"},
    "flow": {"trajectories"},
}


@dataclass(frozen=True)
class Answer:
    """What the network says about one clip.

    logits and scores (softmax) float32 [N]; maps by name, without the batch axis (see types.MAPS); grades of the
    attention against the truth (metrics.attention.GRADES), empty where there is no attention or no truth; subject, the
    clip as it was asked about; milliseconds that it took; ran and kept, the names of the modules that were and were not
    run again; untouched, fields of the batch that the system reads and that depend on what was changed, but stayed as
    they were because only the loader can make them anew.
    """

    logits: np.ndarray
    scores: np.ndarray
    maps: dict[str, np.ndarray]
    grades: dict[str, float]
    subject: Subject
    milliseconds: float = 0.0
    ran: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    untouched: tuple[str, ...] = field(default=())

    @property
    def label(self) -> int:
        """The class with the highest score."""
        return int(self.logits.argmax())


@dataclass(frozen=True)
class Redrawn:
    """A clip whose picture followed its body. source: what ``WhatIf.cut`` reads in place of the clip's data, None where
    the picture stays as it was; words: what was not drawn, and why; "" where all was."""

    source: Any = None
    words: str = ""


class WhatIf:
    """A session about one clip. ``original`` is the Answer to the clip as it is.

    system: in its own mode, which stays; sample: a data.Sample (clip, batch of one, pixels, truth, pose_numbers);
    grade: ``(attention, temporal, truth) -> dict`` such as metrics.attention.grade, None for none; redraw:
    ``(frames, pose) -> frames``, how the loader draws poses, for systems that read ``batch.rendered``; cut:
    ``(source) -> sample``, how the sample was cut from the clip's data, so that other pictures of the clip can be. A
    system's logits must be [B,N].
    """

    def __init__(
        self,
        system: nn.Module,
        sample: Any,
        skeleton: Skeleton | None = None,
        classes: Sequence[str] | None = None,
        grade: Callable[..., dict[str, float]] | None = None,
        redraw: Callable[[np.ndarray, Any], np.ndarray] | None = None,
        cut: Callable[[Any], Any] | None = None,
    ) -> None:
        batch = sample.batch.to(outputs.device(system))
        self.sample, self.skeleton, self.classes = sample, skeleton, None if classes is None else list(classes)
        self.subject = Subject(batch, skeleton, sample.pixels, sample.pose_numbers)
        self.reads = frozenset(getattr(system, "needs_test", ()))
        self.truth: Truth | None = sample.truth
        self._reuse, self._grade, self._redraw, self.cut = Reuse(system), grade, redraw, cut
        self.original = self.ask()

    @property
    def system(self) -> nn.Module:
        """The system that is asked."""
        return self._reuse.system

    def ask(self, changes: Sequence[Change] = (), drawn: Any = None) -> Answer:
        """The answer to the clip with ``changes``, applied in order; of a system that reads segments of the video, each
        is changed like the clip. drawn: a sample of the same clip, as ``cut`` makes it, whose pictures (with what is
        made of them, and the truth) take the place of the clip's, before the changes. Raises what a change raises that
        does not fit, and ValueError for a change of single moments where the system reads segments, which have other
        moments than the clip."""
        start = time.perf_counter()
        sample, subject = drawn or self.sample, self.subject
        if drawn is not None:
            pictures = drawn.batch.to(outputs.device(self.system))
            subject = replace(subject, batch=_with_pictures(subject.batch, pictures))
        for change in changes:
            subject = change(subject)
        subject = self._in_segments(self._with_drawings(subject, sample.clip.frames), changes)
        output = self._reuse(subject.batch)
        if output.logits.ndim != 2:
            raise ValueError(f"what if needs one answer a clip: logits [B,N], got {list(output.logits.shape)}")
        maps, logits = outputs.arrays(output), output.logits[0].float()
        return Answer(
            logits.cpu().numpy(),
            logits.softmax(-1).cpu().numpy(),
            maps,
            self._graded(maps, sample.truth),
            subject,
            1000 * (time.perf_counter() - start),
            tuple(dict.fromkeys(self._reuse.ran)),
            tuple(dict.fromkeys(self._reuse.kept)),
            self._untouched(subject, changes),
        )

    def _with_drawings(self, subject: Subject, frames: np.ndarray) -> Subject:
        """With its poses drawn again where they were changed and the system reads drawings."""
        moved = subject.pixels is not self.subject.pixels
        if not moved or self._redraw is None or "rendered" not in self.reads or subject.batch.rendered is None:
            return subject
        drawn = self._redraw(frames, subject.pixels)
        pictures = torch.from_numpy(np.ascontiguousarray(drawn.transpose(3, 0, 1, 2)))[None]
        fresh = replace(subject.batch, rendered=pictures).to(subject.batch.rendered.device)
        return replace(subject, batch=subject.batch.replace(rendered=fresh.rendered))

    def _in_segments(self, subject: Subject, changes: Sequence[Change]) -> Subject:
        """With every segment of the video changed as the clip was."""
        if not changes or "segments" not in self.reads or subject.batch.segments is None:
            return subject
        for change in changes:
            if not getattr(change, "everywhere", False):
                raise ValueError(
                    f"{type(change).__name__} is about moments of the clip, but {type(self.system).__name__} also "
                    "reads segments of the video, which have other moments: drop joints, mirror the body or cover the "
                    "picture in all frames instead"
                )
        segments = {}
        for g, part in subject.batch.segments.items():
            seen = [Subject(subject.batch.segment(g, i), self.skeleton) for i in range(g)]
            for change in changes:
                seen = [change(segment) for segment in seen]
            fields = {name: [getattr(segment.batch, name) for segment in seen] for name in vars(part)}
            segments[g] = part.replace(**{k: torch.cat(v) for k, v in fields.items() if torch.is_tensor(v[0])})
        return replace(subject, batch=subject.batch.replace(segments=segments))

    def _graded(self, maps: dict[str, np.ndarray], truth: Truth | None) -> dict[str, float]:
        attention = where_and_when(maps)
        if self._grade is None or truth is None or (attention is None and "temporal" not in maps):
            return {}
        return {name: float(value) for name, value in self._grade(attention, maps.get("temporal"), truth).items()}

    def _untouched(self, subject: Subject, changes: Sequence[Change]) -> tuple[str, ...]:
        before, after = self.subject.batch, subject.batch
        changed = {name for name in vars(before) if getattr(before, name) is not getattr(after, name)}
        touched = changed.union(*(getattr(change, "of", ()) for change in changes))
        due = touched.union(*(DERIVED.get(name, set()) for name in touched))
        return tuple(sorted((due - changed) & self.reads))


def _with_pictures(batch: Batch, drawn: Batch) -> Batch:
    """``batch`` with the pictures of ``drawn`` and what is made of them, in its segments too."""
    fields: dict[str, Any] = {name: value for name in PICTURED if (value := getattr(drawn, name)) is not None}
    if batch.segments is not None and drawn.segments is not None:
        fields["segments"] = {g: _with_pictures(part, drawn.segments[g]) for g, part in batch.segments.items()}
    return batch.replace(**fields)


def table(session: WhatIf, questions: Mapping[str, Sequence[Change]]) -> pd.DataFrame:
    """A row a question (name -> changes): its answer, or why it can't be asked; of the class that was the answer
    before, the softmax score in [0,1] (``score``) and what it lost (``loss``); the milliseconds, the modules that were
    run again, and, where any question leaves such, what should have followed but only the loader can make
    (``untouched``)."""
    before = session.original
    rows: list[dict[str, Any]] = []
    names = session.classes or [str(label) for label in range(len(before.scores))]
    for name, changes in questions.items():
        try:
            answer = session.ask(changes)
        except ValueError as problem:
            rows.append({"what if": name, "answer": f"can't be asked: {problem}", "run again": "", "untouched": ""})
            continue
        score = float(answer.scores[before.label])
        row = {"what if": name, "answer": names[answer.label], "score": score}
        row |= {"loss": float(before.scores[before.label]) - score, "milliseconds": answer.milliseconds}
        rows.append(row | {"run again": ", ".join(answer.ran), "untouched": ", ".join(answer.untouched)})
    columns = ["what if", "answer", "score", "loss", "milliseconds", "run again", "untouched"]
    answers = pd.DataFrame(rows, columns=columns)
    return answers if answers["untouched"].any() else answers.drop(columns="untouched")


def where_and_when(maps: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """The attention [T',H',W'] of a clip's maps; spatial weights of a system that keeps space and time apart are held
    over its steps. None where there is neither."""
    if "attention" in maps or "spatial" not in maps:
        return maps.get("attention")
    steps = len(maps["temporal"]) if "temporal" in maps else 1
    return np.repeat(maps["spatial"][None], steps, axis=0)
