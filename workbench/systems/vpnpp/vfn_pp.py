"""VFN++: optical flow distilled into the RGB stream as VPN-F distils poses (VPN++, TPAMI 2021, section 9, table 12,
whose last two rows print VPN++ for it). Attention isn't distilled: with flow for a teacher it didn't help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from workbench.systems.common.base import Stage
from workbench.systems.common.building import Setting, assemble
from workbench.systems.common.composite import Combine, combine, unpack
from workbench.systems.perfnet.perf_stream import PerfStream
from workbench.systems.vpnpp.vpn_f import FeatureDistilled, FeatureOptions, shared
from workbench.types import Batch, Output


@dataclass(frozen=True)
class VFNPPOptions(FeatureOptions):
    """teacher: the stream that is distilled. with_flow is the table's VFN++ + OF: at test time flow is read too, and
    combine makes one score of the student's and the flow stream's."""

    teacher: Literal["flow"] = "flow"
    with_flow: bool = False
    combine: Combine = "softmax_mean"


class VFNPP(FeatureDistilled):
    """The teacher is a flow stream, a network as the student's."""

    needs_train = frozenset({"video", "flow", "label"})
    needs_test = frozenset({"video", "flow"})
    Options = VFNPPOptions

    def __init__(self, setting: Setting, options: VFNPPOptions) -> None:
        teacher = assemble(PerfStream, setting, stream=options.teacher, **shared(PerfStream, options))
        super().__init__(setting, options, options.teacher, teacher, teacher.backbone.channels)
        self.needs_test |= teacher.needs_test if options.with_flow else frozenset()

    def forward(self, batch: Batch) -> Output:
        output = super().forward(batch)
        if self.training or not self.options.with_flow:
            return output
        flow = self.teacher(batch)
        features = torch.cat([output.features, flow.features], dim=1)
        return Output(combine([output.logits, flow.logits], self.options.combine), features, output.maps)

    def classification_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The teacher's own."""
        return self.teacher.classification_loss(unpack("teacher/flow", output.aux), batch)

    def stages(self) -> list[Stage]:
        teacher = Stage("teacher/flow", ("teacher",), loss="classification_loss", part="teacher")
        return [teacher, *self.student_stages()]
