"""Augmented-RGB: flow or poses distilled into an RGB detector (Dai et al., "Learning an Augmented RGB Representation
with Cross-Modal Knowledge Distillation for Action Detection", ICCV 2021).

Teachers learn to detect from features of other modalities and are frozen. The student then learns to detect from those
of RGB and, at the same time, to be like its teachers: snippet by snippet, in how channels vary together over a video,
and in how features change from one snippet to the next. At test time it reads RGB alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Literal

import torch
from torch import Tensor, nn

from workbench import losses
from workbench.nets.modules import ModuleDict, submodule
from workbench.nets.temporal.masks import real
from workbench.systems.augmented_rgb.detector import TRAINING, Detector, FilterOptions
from workbench.systems.common.base import Stage, System
from workbench.systems.common.building import Setting, assemble
from workbench.systems.common.composite import member_stages, pack, unpack
from workbench.types import Batch, Output

#: The modalities that a teacher reads.
TEACHERS = {"flow": ("flow",), "pose": ("pose",), "two_stream": ("rgb", "flow")}


@dataclass(frozen=True)
class AugmentedOptions(FilterOptions):
    """teachers: one or more, whose terms are added. level: the student is compared with them in the filter's features,
    in the logits, or in both, whose terms are added (table 2).

    terms: which of the three losses are used (table 1), with their weights alpha_atomic, alpha_global and
    alpha_boundary, which the paper determines on validation data (section 3.4); printed are 300, 100 and 5. The presets
    tiny and study have others for flow, for poses and for both as teachers, chosen for SynthADL-U on validation
    subjects in notebooks/ablations/augmented_rgb_weights.yaml; for two_stream the printed ones hold there too.

    Readings, the first is the paper's text. reduction: of the classification loss, see losses.multi_label.
    atomic_reading: see losses.atomic. global_reading: eq. 4's squared norm, or the mean square error of the text before
    it. boundary: see losses.boundary_saliency. unit_length divides features by their length before the atomic loss
    multiplies them; the paper prints no such step.

    phi of the atomic loss is the batch's negative snippets over dataset_size, the snippets to train on; a run counts
    its own (the default: Charades' training videos). The paper's batch counts pairs, B = 2P with one negative to each
    positive (section 3.2); here a batch of P videos makes them.

    baseline: another distillation instead of the terms (table 3), weighed by alpha_baseline. Graph distillation learns
    how much each of several teachers counts, snippet by snippet.
    """

    teachers: tuple[Literal["flow", "pose", "two_stream"], ...] = ("flow",)
    level: Literal["feature", "logit", "both"] = "feature"
    terms: tuple[Literal["atomic", "global", "boundary"], ...] = ("atomic", "global", "boundary")
    alpha_atomic: float = 300.0
    alpha_global: float = 100.0
    alpha_boundary: float = 5.0
    dataset_size: int = 360_000
    unit_length: bool = False
    reduction: Literal["sum", "mean"] = "sum"
    atomic_reading: Literal["printed", "mean"] = "printed"
    global_reading: Literal["squared", "mean"] = "squared"
    boundary: Literal["printed", "per_step"] = "printed"
    baseline: Literal["hallucination", "mars", "graph"] | None = None
    alpha_baseline: float = 50.0

    def __post_init__(self) -> None:
        for name in ("teachers", "terms"):
            if len(set(getattr(self, name))) < len(getattr(self, name)):
                choice = ", ".join(getattr(self, name))
                raise ValueError(f"augmented_rgb: {name} must differ from each other, got {choice}")


class AugmentedRGB(System):
    """``student`` is the RGB detector, ``teachers`` are detectors by name."""

    needs_train = frozenset({"features", "label"})
    needs_test = frozenset({"features"})
    Options = AugmentedOptions

    def __init__(self, setting: Setting, options: AugmentedOptions) -> None:
        super().__init__()
        self.options = options
        shared = {name: getattr(options, name) for name in ("temporal_filter", "dropout", "reduction")}
        self.student = assemble(Detector, setting, streams=["rgb"], **shared)
        self.teachers: ModuleDict[Detector] = ModuleDict(
            {name: assemble(Detector, setting, streams=list(TEACHERS[name]), **shared) for name in options.teachers}
        )
        self.graph: nn.Linear | None = None
        if options.baseline == "graph" and len(self.teachers) > 1:
            self.graph = nn.Linear(2 * (self.student.streams["rgb"].filter.channels + setting.num_classes), 1)

    def wants(self, training: bool, stage: Stage | None = None) -> frozenset[str]:
        """The modalities whose features are read: at test the student's alone."""
        teachers = self.teachers.values() if training else ()
        return self.student.wants(training).union(*(teacher.wants(training) for teacher in teachers))

    @property
    def feature_channels(self) -> dict[str, int]:
        """How many channels the features of each modality have."""
        sizes = dict(self.student.feature_channels)
        for teacher in self.teachers.values():
            sizes |= teacher.feature_channels
        return sizes

    def forward(self, batch: Batch) -> Output:
        """Reads features; the student's output, while training with those of its teachers in aux."""
        student = self.student(batch)
        if not self.training:
            return student
        taught = self.teach(batch)
        first = next(iter(taught.values()))
        aux = dict(student.aux)
        for name, teacher in taught.items():
            aux |= pack(f"teacher/{name}", teacher)
        maps = student.maps | {"teacher/covariance": first.maps["covariance"]}
        return Output(student.logits, student.features, maps, aux)

    def teach(self, batch: Batch) -> dict[str, Output]:
        """What each teacher says to ``batch``, by its name; reads the modalities of them all."""
        return {name: teacher(batch) for name, teacher in self.teachers.items()}

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """L = L_Cls - a_1 L_Atomic + a_2 L_Global + a_3 L_Boundary (eq. 7, with the sign of a log-likelihood), or L_Cls
        and the baseline's; L_Cls alone where the teachers weren't asked."""
        terms = {"classification": self.student.loss(output, batch)["total"]}
        taught = self.taught(output)
        baseline = self.options.baseline
        if taught and baseline is None:
            terms |= self.three_losses(output, taught, batch)
        elif taught and baseline is not None:
            terms[baseline] = self.baseline_loss(output, taught, batch)
        return terms | {"total": reduce(torch.add, (self.weight(name) * value for name, value in terms.items()))}

    def weight(self, term: str) -> float:
        """alpha of a term of the loss."""
        if term == "classification":
            return 1.0
        return getattr(self.options, f"alpha_{'baseline' if term == self.options.baseline else term}")

    def taught(self, output: Output) -> dict[str, Output]:
        """The teachers' outputs in ``output``; empty where they weren't asked."""
        has_teachers = any(name.startswith("teacher/") for name in output.aux)
        return {name: unpack(f"teacher/{name}", output.aux) for name in self.teachers} if has_teachers else {}

    def three_losses(self, student: Output, taught: dict[str, Output], batch: Batch) -> dict[str, Tensor]:
        """Each chosen term, not weighed yet: the sum over teachers and levels."""
        values: dict[str, list[Tensor]] = {name: [] for name in self.options.terms}
        videos = pairs(self.of_all(self.take(batch, "label"))) if "atomic" in values else None
        for teacher in taught.values():
            for mine, theirs in self.compared(student, teacher):
                for name, terms in values.items():
                    terms.append(self.term(name, mine, theirs, batch.mask, videos))
        return {name: torch.stack(terms).sum() for name, terms in values.items()}

    def of_all(self, tensor: Tensor) -> Tensor:
        """The rows of all processes in training; each validates by itself."""
        return losses.gather_rows(tensor) if self.training else tensor

    def term(
        self, name: str, mine: Tensor, theirs: Tensor, mask: Tensor | None, videos: tuple[Tensor, Tensor, Tensor] | None
    ) -> Tensor:
        """One of the three losses of student and teacher [B,T,C]."""
        if name == "global":
            return losses.global_contextual(mine, theirs, mask, self.options.global_reading)
        if name == "boundary":
            return losses.boundary_saliency(mine, theirs, self.options.boundary, mask)
        if videos is None:
            raise ValueError("the atomic loss compares pairs of videos, which this call doesn't give")
        return self.atomic(mine, theirs, mask, videos)

    def atomic(
        self, mine: Tensor, theirs: Tensor, mask: Tensor | None, videos: tuple[Tensor, Tensor, Tensor]
    ) -> Tensor:
        """-L_Atomic (eq. 1) of the pairs of videos, those of all processes together: the batch's own, and the negative
        ones."""
        if self.options.unit_length:
            mine, theirs = (nn.functional.normalize(x, dim=2) for x in (mine, theirs))
        mine, theirs, mask = (self.of_all(x) for x in (mine, theirs, real(mine, mask)))
        first, second, positive = videos
        both = mask[first] & mask[second]
        phi = max(1, int(both[~positive].sum())) / self.options.dataset_size
        return losses.atomic(mine[first], theirs[second], positive, phi, both, self.options.atomic_reading)

    def baseline_loss(self, student: Output, taught: dict[str, Output], batch: Batch) -> Tensor:
        """The chosen baseline, the sum over levels, and over teachers where they don't share a graph."""
        levels = zip(*(self.compared(student, teacher) for teacher in taught.values()), strict=True)
        total, mask = student.logits.new_zeros(()), real(student.logits, batch.mask)
        part = losses.share(mask.sum()) if self.training else 1.0
        for level in levels:
            mine, theirs = level[0][0], [teacher for _, teacher in level]
            if self.options.baseline == "graph":
                edges = self.edges(student, taught) if self.graph else None
                total = total + losses.graph_distillation(mine, theirs, edges, mask)
                continue
            for teacher in theirs:
                if self.options.baseline == "hallucination":
                    total = total + losses.hallucination(mine, teacher, mask)
                else:
                    total = total + losses.mars(mine[mask], teacher[mask])
        return part * total

    def edges(self, student: Output, taught: dict[str, Output]) -> Tensor:
        """float [B,T,K]: how much each teacher counts at each snippet (graph distillation, section 3.3)."""

        def said(output: Output) -> Tensor:
            return torch.cat([output.aux["sequence"], output.logits], dim=2).detach()

        graph = submodule(self, "graph", nn.Linear)
        scores = [graph(torch.cat([said(student), said(teacher)], dim=2)) for teacher in taught.values()]
        return torch.cat(scores, dim=2).softmax(2)

    def compared(self, student: Output, teacher: Output) -> list[tuple[Tensor, Tensor]]:
        """What is compared at the chosen level: pairs of [B,T,C] or [B,T,N]."""
        levels = {
            "feature": (student.aux["sequence"], teacher.aux["sequence"]),
            "logit": (student.logits, teacher.logits),
        }
        return list(levels.values()) if self.options.level == "both" else [levels[self.options.level]]

    def detection_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Binary cross-entropy of student and teachers, each by itself: how the teachers are trained."""
        terms = {"student": self.student.loss(output, batch)["total"]}
        terms |= {name: self.teachers[name].loss(said, batch)["total"] for name, said in self.taught(output).items()}
        return terms | {"total": torch.stack(list(terms.values())).sum()}

    def stages(self) -> list[Stage]:
        """Section 3.4: the teachers, then the student."""
        stages = [
            stage for name, teacher in self.teachers.items() for stage in member_stages(f"teachers.{name}", teacher)
        ]
        trains = ("student",) if self.graph is None else ("student", "graph")
        return [*stages, Stage("student/detection", trains, freezes=("teachers",), **TRAINING)]


def pairs(label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The pairs of a batch's videos (figure 2): indices of the student's and of the teacher's, int64 [P] each, and
    whether they are positive, bool [P]: each video with itself, and with a random one of another label, that is, in
    which not the same classes occur. A video has no negative pair where the batch has no such. label: [B,T,N]."""
    occurs = label.amax(1) > 0  # [B,N]
    other = (occurs[:, None] != occurs[None]).any(2)
    videos = torch.arange(len(label), device=label.device)
    first = other.any(1).nonzero()[:, 0]
    second = losses.same(torch.multinomial(other[first].float(), 1)[:, 0]) if len(first) else first
    positive = torch.arange(len(videos) + len(first), device=label.device) < len(videos)
    return torch.cat([videos, first]), torch.cat([videos, second]), positive
