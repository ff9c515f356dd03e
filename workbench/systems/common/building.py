"""How systems are built: what the data and the preset decide (``Setting``), and what a variant chooses (options)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

import torch

from workbench.nearest import hint
from workbench.nets import AGCN, I3D, R3D50G, S3DG, I3DNonLocal, ResNeXt3D
from workbench.nets.video.layers import VideoBackbone
from workbench.systems.common import border
from workbench.types import Skeleton

if TYPE_CHECKING:
    from workbench.systems.common.base import System

S = TypeVar("S", bound="System")

BACKBONES: dict[str, type[VideoBackbone]] = {
    "i3d": I3D,
    "i3d_nonlocal": I3DNonLocal,
    "r3d50g": R3D50G,
    "s3dg": S3DG,
    "resnext3d101": ResNeXt3D,
}


@dataclass(frozen=True)
class Setting:
    """Sizes, none of them a system's own: classes N; the skeleton of the poses; the clip (T,H,W) in frames and
    pixels; t_p poses a clip; the video backbone with its width and output_stride (T,H,W), input pixels a cell of the
    feature map; and, for systems that read features of snippets, how many channels those of a modality have."""

    num_classes: int
    skeleton: Skeleton
    clip: tuple[int, int, int] = (64, 224, 224)
    poses: int = 20
    backbone: str = "i3d"
    width: float = 1.0
    output_stride: tuple[int, int, int] = (8, 32, 32)
    features: Mapping[str, int] | None = None

    def __post_init__(self) -> None:
        if self.backbone not in BACKBONES:
            near = hint(self.backbone, BACKBONES)
            raise ValueError(f"unknown backbone {self.backbone!r}; valid: {', '.join(BACKBONES)}{near}")
        checked = {
            "num_classes": border.whole("num_classes", self.num_classes),
            "skeleton": border.schema(self.skeleton),
            "clip": border.three("clip", self.clip, "frames and pixels"),
            "poses": border.whole("poses", self.poses),
            "width": border.positive("width", self.width),
            "output_stride": border.three("output_stride", self.output_stride, "input frames and pixels a cell"),
            "features": border.channels(self.features),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def video_backbone(self, **options: Any) -> VideoBackbone:
        """The network that turns a video into its feature map."""
        return BACKBONES[self.backbone](width=self.width, output_stride=self.output_stride, **options)

    def feature_channels(self, modality: str) -> int:
        """Channels of a snippet's features, rgb, flow or pose: where ``features`` says nothing, those that the video
        backbone, for poses AGCN, makes at this width."""
        if self.features is not None and modality in self.features:
            return self.features[modality]
        with torch.device("meta"):  # shapes without numbers
            if modality == "pose":
                return AGCN(width=self.width).channels
            return self.video_backbone().channels


class Option(NamedTuple):
    """An option of a system: its default, and its valid values where they can be listed (None: any number >= 0). many
    tells a list of one or more such values from a single one."""

    default: Any
    valid: tuple | None
    many: bool = False


def variants(options: type) -> dict[str, Option]:
    """The options that a dataclass of options declares by its fields' types: Literal, bool, int and float, and tuples
    of them (tuple[int, ...])."""
    hints = get_type_hints(options)
    return {field.name: _option(field.default, hints[field.name]) for field in fields(options)}


def choose(system: str, options: type, values: dict[str, Any]) -> Any:
    """``options`` with these ``values``; ValueError listing the valid ones for an unknown option or value."""
    table, hints, chosen = variants(options), get_type_hints(options), {}
    for name, value in values.items():
        if name not in table:
            valid = f"valid options: {', '.join(table) or 'none'}{hint(name, table)}"
            raise ValueError(f"{system} has no option {name!r}; {valid}")
        option, kind = table[name], hints[name]
        if option.many:
            kind = get_args(kind)[0]
            if not isinstance(value, list | tuple) or not value:
                raise ValueError(f"{system}: {name} must be a list of one or more values, got {value!r}")
        for single in value if option.many else [value]:
            if problem := _problem(single, option.valid, kind is int):
                raise ValueError(f"{system}: {name} must be {problem}, got {value!r}")
        chosen[name] = tuple(value) if option.many else value
    return options(**chosen)


def assemble(kind: type[S], setting: Setting, **variant: Any) -> S:
    """A system with the options ``variant``, to be a part of another one; ValueError as ``choose`` raises it."""
    system = kind(setting, choose(kind.__name__, kind.Options, variant))
    system.setting = setting
    return system


def _option(default: Any, hint: Any) -> Option:
    if NoneType in get_args(hint):  # Literal[...] | None
        plain = _option(default, get_args(hint)[0])
        return plain._replace(valid=(*(plain.valid or ()), None))
    if get_origin(hint) is tuple:
        return _option(default, get_args(hint)[0])._replace(many=True)
    if get_origin(hint) is Literal:
        return Option(default, get_args(hint))
    return Option(default, (True, False) if hint is bool else None)


def _problem(value: Any, valid: tuple | None, whole: bool) -> str:
    """What ``value`` should have been, or nothing."""
    if valid is not None:
        right = any(type(value) is type(choice) and value == choice for choice in valid)
        return "" if right else f"one of {', '.join(map(repr, valid))}"
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or value < whole:
        return "a whole number >= 1" if whole else "a number >= 0"
    return ""
