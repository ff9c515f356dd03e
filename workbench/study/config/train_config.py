"""What an experiment is: one typed, checked configuration, and the presets' numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from safefiles.reading import parse_yaml
from workbench.boundary import Usage
from workbench.data import Augment, ClipSpec
from workbench.data.catalog import AUTO
from workbench.nearest import hint
from workbench.study.config.kinds import CLIPS, Kind, kind_of
from workbench.study.config.presets import PRESETS
from workbench.systems import names, reads_poses_alone, variants
from workbench.systems.common import own

Plain = bool | int | float | str


class Strict(BaseModel):
    """Values of the very types that are asked for, under known names, that stay as they are."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Config(Strict):
    """A model whose errors are one sentence that names the valid ones (ValueError)."""

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as problem:
            raise ValueError(_sentence(type(self), problem)) from None

    @classmethod
    def names(cls) -> list[str]:
        """The parameters, as people write them."""
        return list(cls.model_fields)


def _sentence(model: type[Config], problem: ValidationError) -> str:
    # A misspelt name explains a missing one, so it is told first.
    error, valid = min(problem.errors(), key=lambda error: error["type"] != "extra_forbidden"), model.names()
    path = _path(error)
    if error["type"] == "extra_forbidden":
        return f"{model.__name__} has no parameter {path[-1]!r}; valid names: {', '.join(valid)}{hint(path[-1], valid)}"
    if error["type"] == "missing" and len(path) > 1:
        return f"{model.__name__}: {path[0]} lacks an item, got {error['input']!r}"
    if error["type"] == "missing":
        return f"{model.__name__} needs the parameter {path[-1]!r}; valid names: {', '.join(valid)}"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    # Pydantic gives one error per member of a union: together they say what would have been right.
    said = [one["msg"].removeprefix("Input should be ") for one in problem.errors() if _path(one)[0] == path[0]]
    return f"{model.__name__}: {path[0]} should be {' or '.join(dict.fromkeys(said))}, got {error['input']!r}"


def _path(error: Any) -> list[str]:
    """Where the error is, as people write it: a preset's ``cut`` stands among the rest."""
    return [str(part) for part in error["loc"] if part != "cut"]


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
    ``TrainConfig``; augment, fields of data.Augment; clip_grad of all stages, None: what each one's paper prints;
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
    augment: dict[str, float] = {}
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
    def _augments(cls, augment: dict[str, float]) -> dict[str, float]:
        known = [field.name for field in fields(Augment)]
        for name in augment:
            if name not in known:
                raise ValueError(f"Preset.augment has no {name!r}; valid names: {', '.join(known)}{hint(name, known)}")
        Augment(**augment)
        return augment

    @model_serializer(mode="wrap")
    def _flatten(self, serialise: Callable[[Preset], dict[str, Any]]) -> dict[str, Any]:
        told = serialise(self)
        return told.pop("cut") | told

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


class TrainConfig(Config):
    """One training run. Equal configurations on equal data are one run: its second ``fit`` returns at once.

    What is learnt
      system, options      a name of systems.names() and its variant options, or FILE.py:FUNCTION
                           (systems.common.own)
      preset               "tiny", "study", "poses", "paper", "perf_net_paper", or a dict: {"base": "tiny", "width":
                           0.125} (fields of ``Preset``); where nothing is said, "poses" for networks that read poses
                           alone, else "tiny"
      dataset, root        a name of data.open_dataset and its folder or file; "auto" is what root is, a manifest,
                           shards or SynthADL; protocol None is the data set's first. Detectors: a name of
                           data.open_untrimmed; "auto" is a manifest or synthadl_u
      snippets             detectors: what makes features of each modality's snippets, {"rgb": ..., "flow": ...}: a name
                           or file of I3D weights as in ``init``, or a run id ("latest:agcn"); rgb has a default
      window               detectors: most snippets of a video in a training batch, None: all of them
      seed                 of weights, order, augmentation and dropout
      epochs               of every stage, or by stage name (0 leaves a stage out); None: published number times the
                           preset's factor
      batch_size           over all devices together; None: the preset's
      optimizer, schedule  replace (with "name") or amend (without) those of every stage, e.g. {"lr": 0.001}
      clip_grad            largest gradient norm, None for no clipping; "preset": the preset's
      freeze               names of layers that keep the values they start with, wherever they are in the system, such
                           as Conv3d_1a_7x7; what the first layers of an I3D, up to Mixed_3c, make of a clip is then
                           computed once, if augment is off
      patience             epochs without a better validation score before a stage ends early, None to never
      init                 weights to start from, by module: {"backbone": "file.safetensors"} (in a module that holds
                           others, "" among them, each network that fits the file best, see nets.fitting), a name of
                           nets.weights.SHIPPED (i3d_synthadl_p), either with ":module" for a part of it, or a run id,
                           or "latest:<system>" for the newest run on the same data, whose module of the same name is
                           taken ("run:module" for another, "run:" for the whole; the module "" is the whole system)
      pose_quality         high (as recorded), medium or low (media.pose.degrade), in training and in test
      augment              crop, mirror, brightness, contrast in training
      limit                use only that many clips of each split, for a quick try, or by split: {"train": 100}
      precision            auto (bf16 where the processor has it and the system convolves in 3D), fp32, bf16, fp16
      channels_last        auto (on a CPU and with bf16, where the system convolves in 3D), on or off
      network              the SHA-256 of the file of a network of one's own, filled in: another file is another run
    Where and how it runs, without a say in which run it is
      runs                 folder of the run store; evaluate: the splits that are predicted at the end
      device, devices, nodes, strategy   Lightning Fabric's; strategy auto is plain or DDP
      workers, cache       of the loader: processes, and a folder for decoded clips ("auto": data/cache where a clip
                           is a few frames of its video; None: decode every time)
      checkpoint_seconds, checkpoint_steps   how often within an epoch; always after one
      tags                 free words stored with the run; progress: show bars
    """

    system: str
    options: dict[str, Plain | list[Plain] | None] = {}
    preset: str | dict[str, Any] = "tiny"
    dataset: str = AUTO
    root: str | None = None
    protocol: str | None = None
    seed: int = Field(default=0, ge=0)
    epochs: int | dict[str, int] | None = None
    batch_size: int | None = Field(default=None, gt=0)
    optimizer: dict[str, Any] | None = None
    schedule: dict[str, Any] | None = None
    clip_grad: PositiveFloat | Literal["preset"] | None = "preset"
    freeze: list[str] = []
    patience: int | None = Field(default=None, gt=0)
    init: dict[str, str] = {}
    snippets: dict[str, str] = {}
    window: int | None = Field(default=None, gt=0)
    pose_quality: Literal["high", "medium", "low"] = "high"
    augment: bool = True
    limit: PositiveInt | dict[Literal["train", "validation", "test"], PositiveInt] | None = None
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    channels_last: Literal["auto", "on", "off"] = "auto"
    network: str | None = None

    runs: str = "runs"
    evaluate: list[Literal["train", "validation", "test"]] = ["test"]
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: int = Field(default=1, gt=0)
    nodes: int = Field(default=1, gt=0)
    strategy: str = "auto"
    workers: int = Field(default=0, ge=0)
    cache: str | None = "auto"
    checkpoint_seconds: float | None = Field(default=120.0, gt=0)
    checkpoint_steps: int | None = Field(default=None, gt=0)
    tags: dict[str, str] = {}
    progress: bool = True

    @model_validator(mode="before")
    @classmethod
    def _settle(cls, values: dict[str, Any]) -> dict[str, Any]:
        # Settled here, so that a run is the same whether or not the name was said.
        system, root, preset = values.get("system", ""), values.get("root"), values.get("preset", {})
        if system in names() and reads_poses_alone(system) and isinstance(preset, dict) and "base" not in preset:
            values = {**values, "preset": {"base": "poses", **preset}}
        if own.is_own(system):
            # A run that is on record says which file it was: only who builds it needs the file.
            known = {"system": own.spelt(system), "network": values.get("network") or own.digest(system)}
            values = {**values, **known}
        elif values.get("network") is not None:
            raise ValueError(f"network is the SHA-256 of the file of a network of one's own, {system} is none")
        if values.get("dataset", AUTO) != AUTO or not (root is None or isinstance(root, str)):
            return values
        kind = kind_of(system) if own.is_own(system) or system in names() else CLIPS
        return {**values, "dataset": kind.dataset(root)}

    @model_validator(mode="after")
    def _names_exist(self) -> TrainConfig:
        known, kind = variants(self.system), self.kind
        for option in self.options:
            if option not in known:
                valid = f"{', '.join(known) or 'none'}{hint(option, known)}"
                raise ValueError(f"{self.system} has no option {option!r}; valid options: {valid}")
        _ = self.numbers
        counts = self.epochs.values() if isinstance(self.epochs, dict) else [self.epochs]
        if any(count is not None and count < 0 for count in counts):
            raise ValueError(f"TrainConfig: epochs should be 0 or more, got {self.epochs!r}")
        if any(getattr(self, name) for name in kind.foreign):
            raise ValueError(f"snippets and window are parameters of detectors, {self.system} reads clips")
        return self

    @property
    def kind(self) -> Kind:
        """What the system learns from: clips, or untrimmed videos."""
        return kind_of(self.system)

    @property
    def title(self) -> str:
        """What the system is called in figures and tables: of a network of one's own, file and function alone."""
        return own.short(self.system)

    @property
    def numbers(self) -> Preset:
        """The preset's numbers, with this configuration's batch_size."""
        return preset_numbers(self.preset, self.kind, self.batch_size)

    def resolved(self, protocol: str, clips: int) -> TrainConfig:
        """The same configuration with what it takes from the preset and from the data (the protocol, the number of
        ``clips`` or snippets to train on) spelt out, so that a run keeps what it was made with when defaults change."""
        base = self.preset if isinstance(self.preset, str) else self.preset.get("base", "tiny")
        numbers = {"base": base, **self.numbers.model_dump(mode="json")}
        counted = {"dataset_size": clips} if "dataset_size" in variants(self.system) else {}
        return self.model_copy(update={"preset": numbers, "protocol": protocol, "options": {**counted, **self.options}})

    def identity(self) -> dict[str, Any]:
        """The part that says which run this is; what is left out says where and how it runs, or counts by contents."""
        told = self.model_dump(mode="json", exclude=ELSEWHERE | self.kind.foreign)
        told["system"] = self.title  # the file counts by its bytes, wherever it lies
        if self.network is None:
            del told["network"]
        # Runs from before there was a choice keep their names.
        if not self.freeze:
            del told["freeze"]
        if isinstance(self.preset, dict):
            before = {"validate_every": 1, "augment": {}}
            told["preset"] = {name: value for name, value in self.preset.items() if before.get(name) != value}
        return told


#: Fields without a say in what is learnt, and paths of what has one: the contents of data and weights count (see runs).
ELSEWHERE = {
    "root",
    "init",
    "snippets",
    "runs",
    "evaluate",
    "device",
    "devices",
    "nodes",
    "strategy",
    "workers",
    "cache",
    "checkpoint_seconds",
    "checkpoint_steps",
    "tags",
    "progress",
}


def parse(config: TrainConfig | dict[str, Any]) -> TrainConfig:
    """The configuration itself, or the one that a plain dict describes; ValueError naming what is wrong."""
    return config if isinstance(config, TrainConfig) else TrainConfig(**config)


def parse_pairs(pairs: Iterable[str]) -> dict[str, Any]:
    """``["epochs=3", "options.coupler=false"]`` as {"epochs": 3, "options": {"coupler": False}}; values are YAML, and
    the order says nothing: ``preset=tiny preset.crop=frame`` is the preset with another crop.

    Usage (a ValueError) for a pair without "=", a value that is no YAML, or two pairs that contradict each other."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not all(name.split(".")):
            raise Usage(f"{pair!r} should read NAME=VALUE")
        try:
            value = parse_yaml(text)
        except ValueError as problem:
            raise Usage(f"{pair!r} should read NAME=VALUE, with a YAML value: {problem}") from None
        first, *rest = name.split(".")
        for part in reversed(rest):
            value = {part: value}
        values[first] = _both(values[first], value, first, pair) if first in values else value
    return values


def _both(held: Any, value: Any, name: str, pair: str) -> Any:
    """What two pairs of ``--set`` say together of ``name``."""
    if name == "preset" and isinstance(held, dict) != isinstance(value, dict):
        held, value = ({"base": each} if not isinstance(each, dict) else each for each in (held, value))
    if isinstance(held, dict) and isinstance(value, dict):
        shared = {key: _both(held[key], value[key], f"{name}.{key}", pair) for key in held.keys() & value.keys()}
        return {**held, **value, **shared}
    if type(held) is not type(value) or held != value:
        raise Usage(f"{pair!r} contradicts another --set, which says that {name} is {held!r}")
    return held
