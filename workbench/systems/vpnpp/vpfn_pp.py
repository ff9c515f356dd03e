"""VPFN++: late fusion of VPN++ and VFN++ (VPN++, TPAMI 2021, section 9, table 13)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workbench.systems.common.building import Setting, assemble
from workbench.systems.common.composite import Combine
from workbench.systems.vpnpp.vfn_pp import VFNPP
from workbench.systems.vpnpp.vpn_a import AttentionOptions
from workbench.systems.vpnpp.vpn_f import shared
from workbench.systems.vpnpp.vpn_pp import Students, TwoLevels


@dataclass(frozen=True)
class VPFNPPOptions(AttentionOptions):
    """teacher: the stream that VFN++ distils; alpha weighs the distillation of features in both. with_pose and
    with_flow are the table's + 3D Poses and + OF: at test time those are read too, and their streams' scores join.
    combine makes one score of them all, each counting as much."""

    teacher: Literal["flow"] = "flow"
    alpha: float = 50.0
    with_pose: bool = False
    with_flow: bool = False
    combine: Combine = "softmax_mean"


class VPFNPP(Students):
    """Two students, ``vpn_pp`` and ``vfn_pp``."""

    needs_train = frozenset({"video", "pose", "flow", "label"})
    needs_test = frozenset({"video", "pose", "flow"})
    Options = VPFNPPOptions

    def __init__(self, setting: Setting, options: VPFNPPOptions) -> None:
        flow = shared(VFNPP, options) | {"with_flow": False}  # its stream joins the fusion here
        members = {
            "vpn_pp": assemble(TwoLevels, setting, **shared(TwoLevels, options)),
            "vfn_pp": assemble(VFNPP, setting, **flow),
        }
        teachers = {"pose": "vpn_pp.pose_teacher", "flow": "vfn_pp.teacher"}
        switches = {"pose": options.with_pose, "flow": options.with_flow}
        super().__init__(members, {name: path for name, path in teachers.items() if switches[name]}, options.combine)
        self.options = options
