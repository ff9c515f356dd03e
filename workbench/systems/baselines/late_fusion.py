"""Late fusion: systems that are trained each by itself and joined by their class scores.

VPN++ averages the predictions of RGB (I3D) and poses (AGCN-J) ("Late Fusion" of its figure 2 and table 5); PERF-Net
adds the logits of its streams (section 4.2.2), with two RGB networks as the control (table 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from torch import Tensor

from workbench.systems.common.base import Stage
from workbench.systems.common.building import Setting
from workbench.systems.common.composite import Combine, Composite, MemberOptions, combine, member_stages
from workbench.types import TENSORS, Batch, Output

Member = Literal[
    "rgb",
    "pose_lstm",
    "agcn",
    "p_i3d",
    "separable_sta",
    "vpn",
    "vpn_f",
    "vpn_a",
    "vpn_pp",
    "mars",
    "vfn_pp",
    "temporal_model",
    "perf_stream",
    "perf_net",
    "dense_trajectories",
]


@dataclass(frozen=True)
class LateFusionOptions(MemberOptions):
    """members: two or more systems, the same one twice too (rgb and rgb_2, of different random starts). combine: the
    mean of softmax scores (VPN++) or the sum of logits (PERF-Net)."""

    members: tuple[Member, ...] = ("rgb", "agcn")
    combine: Combine = "softmax_mean"

    def __post_init__(self) -> None:
        if len(self.members) < 2:
            raise ValueError(f"late_fusion: members must be two or more systems, got {', '.join(self.members)}")


class LateFusion(Composite):
    """One score of the members', which share no parameter."""

    needs_train = frozenset({*TENSORS, "label"})
    needs_test = frozenset(TENSORS)
    Options = LateFusionOptions

    def __init__(self, setting: Setting, options: LateFusionOptions) -> None:
        super().__init__()
        self.how = options.combine
        self.add_members(setting, options.members, options)
        for name in {stage.loss for stage in self.stages()} - {"loss"}:
            setattr(self, name, partial(self.member_losses, name=name))

    def forward(self, batch: Batch) -> Output:
        """Reads what the members read; maps of equal names are the first member's."""
        outputs = self.run_members(batch)
        logits = combine([output.logits for output in outputs.values()], self.how)  # [B,N]
        return self.join(outputs, logits)

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The members' losses, added: they share nothing, so that each learns as if it were alone."""
        return self.member_losses(output, batch)

    def stages(self) -> list[Stage]:
        """Every member's own procedure, one after the other."""
        return [stage for path in self.paths for stage in member_stages(path, self.member(path))]
