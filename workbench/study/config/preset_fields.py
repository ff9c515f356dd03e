"""What a preset says: the fields of its numbers, and how the numbers of one are found by its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, Literal

from pydantic import Field, field_validator, model_serializer, model_validator

from workbench.data import Augment, ClipSpec
from workbench.nearest import hint
from workbench.study.config.checked import Config, Plain, Strict
from workbench.study.config.kinds import Kind
from workbench.study.config.presets import PRESETS


class Cut(Strict):
    """How a preset cuts clips: their size (T,H,W) in frames and pixels, and fields of data.ClipSpec."""

    clip: tuple[int, int, int] = Field(strict=False)
    poses: int = Field(gt=0)
    sampling: Literal["uniform", "strided", "consecutive"] = "strided"
    stride: int = Field(default=2, gt=0)
    phases: int = Field(default=1, gt=0)
    windows: int | Literal["all"] = 1
    crop: Literal["person", "track", "frame", "centre"] = "person"
    track_size: Literal["frame", "clip"] = "frame"
    margin: float = Field(default=0.1, ge=0, lt=1)
    border: float = Field(default=0.0625, ge=0, lt=1)
    test_area: Literal["centre", "whole"] = "centre"
    normalize: Literal["thesis", "agcn", "none"] = "thesis"
    persons: int = Field(default=1, gt=0)

    def spec(self, **own: Any) -> ClipSpec:
        """The whole specification, with what a system's options and the configuration say of it."""
        frames, *size = self.clip
        return ClipSpec(**{"frames": frames, "size": size, **self.model_dump(exclude={"clip"}), **own})


class Preset(Config):
    """The numbers that differ between two cores and a cluster; never code.

    cut says how clips are cut, for a detector those that an encoder from a file of weights reads; width of the
    backbone; output_stride (T,H,W) of its feature map; batch_size over all devices together; epochs as a factor on each
    stage's published number and optimizer as in ``TrainConfig``, both by stage ("": the others); schedule as in
    ``TrainConfig``; augment, fields of data.Augment, or None: clips as they are; freeze as in ``TrainConfig``, of the
    systems that have such layers; clip_grad of all stages, None: what each one's paper prints;
    validate_every so many epochs of a stage, the last one among them: the best weights are chosen among those epochs
    (patience and the schedule plateau watch every epoch); options of the systems that have them, or of one system
    ("vpn_f.alpha"), where the configuration says nothing, or one value for each choice of the option ``teachers``
    ({"flow": ..., "flow+pose": ...}, names in order; without one for a choice the system's default holds).

    Written, by people and in the folders of runs, the fields of ``cut`` stand among the others.
    """

    cut: Cut
    width: float = Field(gt=0)
    output_stride: tuple[int, int, int] = Field(strict=False)
    batch_size: int = Field(gt=0)
    epochs: dict[str, float] = {}
    optimizer: dict[str, dict[str, Any]] = {}
    schedule: dict[str, Any] | None = None
    augment: dict[str, float] | None = {}
    freeze: list[str] = []
    clip_grad: float | None = Field(default=None, gt=0)
    validate_every: int = Field(default=1, gt=0)
    options: dict[str, Plain | dict[str, Plain]] = {}

    @model_validator(mode="before")
    @classmethod
    def _nest(cls, written: dict[str, Any]) -> dict[str, Any]:
        if "cut" in written:
            raise ValueError(f"Preset has no parameter 'cut'; valid names: {', '.join(cls.names())}")
        cut = {name: value for name, value in written.items() if name in Cut.model_fields}
        return {name: value for name, value in written.items() if name not in cut} | {"cut": cut}

    @field_validator("augment")
    @classmethod
    def _augments(cls, augment: dict[str, float] | None) -> dict[str, float] | None:
        valid = [field.name for field in fields(Augment)]
        for name in augment or {}:
            if name not in valid:
                raise ValueError(f"Preset.augment has no {name!r}; valid names: {', '.join(valid)}{hint(name, valid)}")
        Augment(**(augment or {}))
        return augment

    @model_serializer(mode="wrap")
    def _flatten(self, serialise: Callable[[Preset], dict[str, Any]]) -> dict[str, Any]:
        numbers = serialise(self)
        return numbers.pop("cut") | numbers

    @classmethod
    def names(cls) -> list[str]:
        """The parameters, as people write them: those of ``cut`` among the others."""
        return [*Cut.model_fields, *(name for name in cls.model_fields if name != "cut")]


def preset_numbers(preset: str | dict[str, Any], kind: Kind, batch_size: int | None = None) -> Preset:
    """The numbers of a preset by its name, or of a dict {"base": name, ...}, for a ``kind`` of data; ValueError for an
    unknown name. ``batch_size``, if any, takes the place of the preset's."""
    chosen = dict(preset) if isinstance(preset, dict) else {"base": preset}
    base = chosen.pop("base", "tiny")
    if base not in PRESETS:
        raise ValueError(f"unknown preset {base!r}; known: {', '.join(PRESETS)}{hint(base, PRESETS)}")
    own = {} if batch_size is None else {"batch_size": batch_size}
    return Preset(**{**kind.preset(base), **chosen, **own})
