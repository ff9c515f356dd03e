"""MARS: Motion-Augmented RGB Stream (Crasto et al., CVPR 2019), the baseline of VPN++ (section 9, table 12).

A flow stream is trained and frozen. An RGB stream then learns the class and, at the same time, to have the flow
stream's features, so that it sees motion without flow. Published with 3D ResNeXt-101.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench import losses
from workbench.systems.common.base import Stage, System
from workbench.systems.common.building import Setting, assemble
from workbench.systems.perfnet.perf_stream import PerfStream
from workbench.types import Batch, Output

# The streams whose logits join the student's: MARS, MARS+RGB, MARS+Flow, MARS+RGB+Flow.
JOINED = {"none": [], "rgb": ["rgb"], "flow": ["flow"], "rgb+flow": ["rgb", "flow"]}


@dataclass(frozen=True)
class MARSOptions:
    """alpha weighs the distance of the features. combine is late fusion by adding logits: with a plain RGB stream
    (MARS+RGB), with the flow stream, which then is needed at test time, or with both. from_scratch is as published;
    else the student is first trained as an RGB stream. flow_method is the loader's (published: TV-L1; "dis" is faster).
    Published without dropout."""

    combine: Literal["none", "rgb", "flow", "rgb+flow"] = "none"
    alpha: float = 50.0
    from_scratch: bool = True
    flow_method: Literal["tvl1", "dis"] = "tvl1"
    dropout: float = 0.0
    bn_momentum: float = 0.1


class MARS(System):
    """``student`` reads the video, ``teacher`` the flow; ``rgb`` is the plain stream of MARS+RGB."""

    needs_train = frozenset({"video", "flow", "label"})
    needs_test = frozenset({"video", "flow"})
    Options = MARSOptions
    default_backbone = "resnext3d101"

    def __init__(self, setting: Setting, options: MARSOptions) -> None:
        super().__init__()
        self.options = options
        shared = {"dropout": options.dropout, "bn_momentum": options.bn_momentum}
        self.student = assemble(PerfStream, setting, stream="rgb", **shared)
        self.teacher = assemble(PerfStream, setting, stream="flow", **shared)
        self.joined = ["student", *JOINED[options.combine]]
        if "rgb" in self.joined:
            self.rgb = assemble(PerfStream, setting, stream="rgb", **shared)
        self.needs_test = frozenset({"video", "flow"} if "flow" in self.joined else {"video"})

    def forward(self, batch: Batch) -> Output:
        streams = {"student": self.student(batch)}
        if "rgb" in self.joined:
            streams["rgb"] = self.rgb(batch)
        if "flow" in self.joined or self.training:
            streams |= self.teach(batch)
        maps, aux = streams["student"].maps, {name: stream.logits for name, stream in streams.items()}
        if self.training:
            maps = maps | {"teacher/flow": streams["flow"].maps["feature_map"]}
            aux |= {"student_features": streams["student"].features, "teacher_features": streams["flow"].features}
        logits = torch.stack([streams[name].logits for name in self.joined]).sum(0)
        features = torch.cat([streams[name].features for name in self.joined], dim=1)
        return Output(logits, features, maps, aux)

    def teach(self, batch: Batch) -> dict[str, Output]:
        """What the teacher says to ``batch``, by its name; reads the flow."""
        return {"flow": self.teacher(batch)}

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of the student + alpha MSE of its pooled features and the teacher's; cross-entropy alone where
        the teacher wasn't asked to teach."""
        l_c = F.cross_entropy(output.aux["student"], self.take(batch, "label"))
        if "teacher_features" not in output.aux:
            return {"total": l_c, "classification": l_c}
        l_d = losses.mars(output.aux["student_features"], output.aux["teacher_features"])
        return {"total": l_c + self.options.alpha * l_d, "classification": l_c, "distillation": l_d}

    def classification_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of each stream by itself: how they are trained before the student is taught."""
        streams = [name for name in ("student", "rgb", "flow") if name in output.aux]
        terms = {name: F.cross_entropy(output.aux[name], self.take(batch, "label")) for name in streams}
        return terms | {"total": torch.stack(list(terms.values())).sum()}

    def stages(self) -> list[Stage]:
        """Trained as the documents train their other baselines; the public code takes SGD from 0.1, a tenth of it
        whenever validation stalls, for at most 400 epochs."""
        alone = ["teacher", *(["rgb"] if "rgb" in self.joined else [])]
        alone += [] if self.options.from_scratch else ["student"]
        stages = [Stage(f"{name}/backbone", (name,), loss="classification_loss", part=name) for name in alone]
        frozen = tuple(name for name in ("teacher", "rgb") if name in alone)
        return [*stages, Stage("distillation", trains=("student",), freezes=frozen)]
