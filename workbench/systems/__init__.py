"""The published systems, by name: ``build("vpn", num_classes=60, coupler=False)``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.nearest import hint
from workbench.systems.augmented_rgb.augmented_rgb import AugmentedRGB
from workbench.systems.augmented_rgb.detector import Detector
from workbench.systems.baselines.agcn import AGCNClassifier
from workbench.systems.baselines.early_fusion import EarlyFusion
from workbench.systems.baselines.late_fusion import LateFusion
from workbench.systems.baselines.pose_gru import PoseGRUClassifier
from workbench.systems.baselines.pose_lstm import PoseLSTMClassifier
from workbench.systems.baselines.rgb import RGB
from workbench.systems.common import border, own
from workbench.systems.common.base import Stage, System
from workbench.systems.common.building import BACKBONES, Option, Setting, choose
from workbench.systems.common.building import variants as _declared
from workbench.systems.common.own import register
from workbench.systems.common.registry import SYSTEMS
from workbench.systems.perfnet.perf_net import PerfNet
from workbench.systems.perfnet.perf_stream import PerfStream
from workbench.systems.thesis.dense_trajectories import DenseTrajectories
from workbench.systems.thesis.global_model import GlobalModel
from workbench.systems.thesis.p_i3d import PI3D
from workbench.systems.thesis.separable_sta import SeparableSTA
from workbench.systems.thesis.temporal_model import TemporalModel
from workbench.systems.thesis.two_level_fusion import TwoLevelFusion
from workbench.systems.vpn.vpn import VPN
from workbench.systems.vpnpp.mars import MARS
from workbench.systems.vpnpp.vfn_pp import VFNPP
from workbench.systems.vpnpp.vpfn_pp import VPFNPP
from workbench.systems.vpnpp.vpn_a import VPNA
from workbench.systems.vpnpp.vpn_f import VPNF
from workbench.systems.vpnpp.vpn_pp import VPNPP
from workbench.types import Skeleton

__all__ = [
    "Option", "Stage", "System", "build", "detects", "kind", "names", "reads_poses_alone", "register",
    "variants",
]  # fmt: skip

#: In the order of the documents: baselines, thesis, VPN, VPN++, PERF-Net, Augmented-RGB.
SYSTEMS.update(
    {
        "rgb": RGB,
        "pose_lstm": PoseLSTMClassifier,
        "pose_gru": PoseGRUClassifier,
        "agcn": AGCNClassifier,
        "early_fusion": EarlyFusion,
        "late_fusion": LateFusion,
        "dense_trajectories": DenseTrajectories,
        "two_level_fusion": TwoLevelFusion,
        "p_i3d": PI3D,
        "separable_sta": SeparableSTA,
        "vpn": VPN,
        "vpn_f": VPNF,
        "vpn_a": VPNA,
        "vpn_pp": VPNPP,
        "mars": MARS,
        "vfn_pp": VFNPP,
        "vpfn_pp": VPFNPP,
        "temporal_model": TemporalModel,
        "global_model": GlobalModel,
        "perf_stream": PerfStream,
        "perf_net": PerfNet,
        "detector": Detector,
        "augmented_rgb": AugmentedRGB,
    }
)


def names() -> list[str]:
    """The systems that there are.

    Returns:
        The names that ``build`` knows, baselines first, networks of one's own that are registered last. Those in files,
        FILE.py:FUNCTION, it knows besides.
    """
    return [*SYSTEMS, *own.REGISTERED]


def variants(name: str) -> dict[str, Option]:
    """The options of a system, each with its default and valid values; ValueError for an unknown system."""
    system = kind(name)
    backbone = {"backbone": Option(system.default_backbone, tuple(BACKBONES))} if system.default_backbone else {}
    return backbone | _declared(system.Options)


def detects(name: str) -> bool:
    """Whether a system labels every moment of an untrimmed video, from features of its snippets, instead of a clip;
    ValueError for an unknown system."""
    return "features" in kind(name).needs_test


def reads_poses_alone(name: str) -> bool:
    """Whether poses suffice for a system; ValueError for an unknown system."""
    return kind(name).needs_train == {"pose", "label"}


def build(
    name: str,
    num_classes: int,
    *,
    skeleton: str | Skeleton = "kinect_v2",
    clip: tuple[int, int, int] = (64, 224, 224),
    width: float = 1.0,
    output_stride: tuple[int, int, int] = (8, 32, 32),
    poses: int = 20,
    backbone: str | None = None,
    features: Mapping[str, int] | None = None,
    digest: str | None = None,
    **variant: Any,
) -> System:
    """An untrained system.

    A system ignores the sizes of a modality that it does not read.

    Args:
        name: one of ``names()``, or "FILE.py:FUNCTION", a network of one's own (see ``common.own``).
        num_classes: N, how many classes.
        skeleton: the schema of the poses, or its name.
        clip: (T,H,W), frames and pixels.
        width: scales the channels of the backbones; 1 is the published width.
        output_stride: (T,H,W), input frames and pixels a cell of the feature map.
        poses: t_p, poses a clip.
        backbone: the video backbone; None: the published one.
        features: how many channels the features of snippets have, by modality; None: as the backbones make them.
        digest: the SHA-256 that the file of a network of one's own must have; None: any.
        **variant: the options of ``variants(name)``.

    Returns:
        The system, in training mode, on the CPU.

    Raises:
        ValueError: an unknown name or option, or a value that is not valid; it lists the valid ones. A file that is
            missing, has changed, or makes no network for video.
    """
    system_kind = kind(name)
    options = choose(own.short(name), system_kind.Options, variant)
    chosen = backbone or system_kind.default_backbone or "i3d"
    setting = Setting(num_classes, border.schema(skeleton), clip, poses, chosen, width, output_stride, features)
    system = own.load(name, setting, digest) if system_kind is own.OwnNetwork else system_kind(setting, options)
    system.setting = setting
    return system


def kind(name: str) -> type[System]:
    """The class of a system; ValueError listing the known names for an unknown one."""
    if own.is_own(name):
        return own.OwnNetwork
    if name not in SYSTEMS:
        file = "; a network of your own is named FILE.py:FUNCTION" if ".py" in str(name) else hint(name, names())
        raise ValueError(f"unknown system {name!r}; known: {', '.join(names())}{file}")
    return SYSTEMS[name]
