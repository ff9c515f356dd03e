"""What an experiment is: one typed, checked configuration, and the presets' numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from safefiles.reading import parse_yaml
from workbench.boundary import Usage
from workbench.data.catalog import AUTO, guess
from workbench.nearest import hint
from workbench.study.config.presets import DETECTION, PRESETS

Plain = bool | int | float | str


class Config(BaseModel):
    """A pydantic model whose errors are one sentence that names the valid ones (ValueError)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as problem:
            raise ValueError(_sentence(type(self), problem)) from None


def _sentence(model: type[BaseModel], problem: ValidationError) -> str:
    # A misspelt name explains a missing one, so it is told first.
    error = min(problem.errors(), key=lambda error: error["type"] != "extra_forbidden")
    path = [str(part) for part in error["loc"]]
    if error["type"] == "extra_forbidden":
        valid = f"{', '.join(model.model_fields)}{hint(path[-1], model.model_fields)}"
        return f"{model.__name__} has no parameter {path[-1]!r}; valid names: {valid}"
    if error["type"] == "missing":
        return f"{model.__name__} needs the parameter {path[-1]!r}; valid names: {', '.join(model.model_fields)}"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    # Pydantic gives one error per member of a union: together they say what would have been right.
    wanted = dict.fromkeys(
        e["msg"].removeprefix("Input should be ") for e in problem.errors() if e["loc"][0] == path[0]
    )
    return f"{model.__name__}: {path[0]} should be {' or '.join(wanted)}, got {error['input']!r}"


class Preset(Config):
    """The numbers that differ between two cores and a cluster; never code.

    clip (T,H,W) in frames and pixels; width of the backbone; output_stride (T,H,W) of its feature map; batch_size over
    all devices together; epochs as a factor on each stage's published number and optimizer as in ``TrainConfig``, both
    by stage ("": the others); schedule as in ``TrainConfig``; clip_grad of all stages, None: what each one's paper
    prints; validate_every so many epochs of a stage, the last one among them: the best weights are chosen among those
    epochs (patience and the schedule plateau watch every epoch); options of the systems that have them, or of one
    system ("vpn_f.alpha"), where the configuration says nothing, or one value for each choice of the option
    ``teachers`` ({"flow": ..., "flow+pose": ...}, names in order; without one for a choice the system's default holds);
    the rest says how clips are cut (fields of data.ClipSpec), for a detector those that an encoder from a file of
    weights reads.
    """

    clip: tuple[int, int, int] = Field(strict=False)
    width: float = Field(gt=0)
    output_stride: tuple[int, int, int] = Field(strict=False)
    batch_size: int = Field(gt=0)
    epochs: dict[str, float] = {}
    optimizer: dict[str, dict[str, Any]] = {}
    schedule: dict[str, Any] | None = None
    clip_grad: float | None = Field(default=None, gt=0)
    validate_every: int = Field(default=1, gt=0)
    options: dict[str, Plain | dict[str, Plain]] = {}
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

    def cut(self) -> dict[str, Any]:
        """The fields of data.ClipSpec."""
        first = list(type(self).model_fields).index("poses")
        same = list(type(self).model_fields)[first:]
        return {"frames": self.clip[0], "size": self.clip[1:], **{name: getattr(self, name) for name in same}}


def preset_numbers(preset: str | dict[str, Any], detects: bool = False, **own: Any) -> Preset:
    """The numbers of a preset by its name, or of a dict {"base": name, ...}, with ``own`` ones, and those of detectors
    if it ``detects``; ValueError for an unknown name."""
    chosen = dict(preset) if isinstance(preset, dict) else {"base": preset}
    base = chosen.pop("base", "tiny")
    if base not in PRESETS:
        raise ValueError(f"unknown preset {base!r}; known: {', '.join(PRESETS)}{hint(base, PRESETS)}")
    return Preset(**{**PRESETS[base], **(DETECTION.get(base, {"batch_size": 8}) if detects else {}), **chosen, **own})


class TrainConfig(Config):
    """One training run. Equal configurations on equal data are one run: its second ``fit`` returns at once.

    What is learnt
      system, options      a name of systems.names() and its variant options
      preset               "tiny", "study", "paper", "perf_net_paper", or a dict: {"base": "tiny", "width": 0.125}
                           (fields of ``Preset``)
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
      patience             epochs without a better validation score before a stage ends early, None to never
      init                 weights to start from, by module: {"backbone": "file.safetensors"} (in a module that holds
                           others, "" among them, each network that fits the file best, see nets.fitting), a name of
                           nets.weights.SHIPPED (i3d_synthadl_p), or a run id, or "latest:<system>" for the newest run
                           on the same data, whose module of the same name is taken ("run:module" for another, "run:"
                           for the whole; the module "" is the whole system)
      pose_quality         high (as recorded), medium or low (media.pose.degrade), in training and in test
      augment              crop, mirror, brightness, contrast in training
      limit                use only that many clips of each split, for a quick try, or by split: {"train": 100}
      precision            auto (bf16 where the processor has it and the system convolves in 3D), fp32, bf16, fp16
      channels_last        auto (on a CPU and with bf16, where the system convolves in 3D), on or off
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
    patience: int | None = Field(default=None, gt=0)
    init: dict[str, str] = {}
    snippets: dict[str, str] = {}
    window: int | None = Field(default=None, gt=0)
    pose_quality: Literal["high", "medium", "low"] = "high"
    augment: bool = True
    limit: PositiveInt | dict[Literal["train", "validation", "test"], PositiveInt] | None = None
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    channels_last: Literal["auto", "on", "off"] = "auto"

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
    def _settle_dataset(cls, values: dict[str, Any]) -> dict[str, Any]:
        # Settled here, so that a run is the same whether or not the name was said.
        from workbench.systems import detects, names

        root = values.get("root")
        if values.get("dataset", AUTO) != AUTO:
            return values
        if values.get("system") in names() and detects(values["system"]):
            return {**values, "dataset": "manifest" if guess(root) == "manifest" else "synthadl_u"}
        if root is None or isinstance(root, str):
            return {**values, "dataset": guess(root)}
        return values

    @model_validator(mode="after")
    def _names_exist(self) -> TrainConfig:
        from workbench.systems import variants

        known = variants(self.system)
        for option in self.options:
            if option not in known:
                valid = f"{', '.join(known) or 'none'}{hint(option, known)}"
                raise ValueError(f"{self.system} has no option {option!r}; valid options: {valid}")
        _ = self.numbers
        counts = self.epochs.values() if isinstance(self.epochs, dict) else [self.epochs]
        if any(count is not None and count < 0 for count in counts):
            raise ValueError(f"TrainConfig: epochs should be 0 or more, got {self.epochs!r}")
        if not self.detects and (self.snippets or self.window):
            raise ValueError(f"snippets and window are parameters of detectors, {self.system} reads clips")
        return self

    @property
    def detects(self) -> bool:
        """Whether the system labels every moment of untrimmed videos."""
        from workbench.systems import detects

        return detects(self.system)

    @property
    def numbers(self) -> Preset:
        """The preset's numbers, with this configuration's batch_size."""
        own = {} if self.batch_size is None else {"batch_size": self.batch_size}
        return preset_numbers(self.preset, self.detects, **own)

    def resolved(self, protocol: str, clips: int) -> TrainConfig:
        """The same configuration with what it takes from the preset and from the data (the protocol, the number of
        ``clips`` or snippets to train on) spelt out, so that a run keeps what it was made with when defaults change."""
        from workbench.systems import variants

        base = self.preset if isinstance(self.preset, str) else self.preset.get("base", "tiny")
        numbers = {"base": base, **self.numbers.model_dump(mode="json")}
        counted = {"dataset_size": clips} if "dataset_size" in variants(self.system) else {}
        return self.model_copy(update={"preset": numbers, "protocol": protocol, "options": {**counted, **self.options}})

    def variant(self) -> dict[str, Any]:
        """The system's options: the preset's as far as the system has them, the preset's for it alone, then this
        configuration's own."""
        from workbench.systems import variants

        known, start, chosen = variants(self.system), f"{self.system}.", self.numbers.options
        shared = {name: value for name, value in chosen.items() if name in known}
        alone = {name.removeprefix(start): value for name, value in chosen.items() if name.startswith(start)}
        if "teachers" in known:
            shared = _for_teachers(shared, self.options.get("teachers", known["teachers"].default))
        return shared | alone | self.options

    def identity(self) -> dict[str, Any]:
        """The part that says which run this is; what is left out says where and how it runs, or counts by contents."""
        told = self.model_dump(mode="json", exclude=ELSEWHERE)
        # Runs from before there was a choice keep their names.
        if isinstance(self.preset, dict) and self.preset.get("validate_every") == 1:
            told["preset"] = {name: value for name, value in self.preset.items() if name != "validate_every"}
        return told if self.detects else {name: value for name, value in told.items() if name != "window"}


def _for_teachers(options: dict[str, Any], teachers: Any) -> dict[str, Any]:
    """The options that hold for these teachers: of those with a value for each choice of teachers, its own or none."""
    key = "+".join(sorted(teachers)) if isinstance(teachers, list | tuple) else teachers
    by_teacher = {name: value.get(key) for name, value in options.items() if isinstance(value, dict)}
    plain = {name: value for name, value in options.items() if name not in by_teacher}
    return plain | {name: value for name, value in by_teacher.items() if value is not None}


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


def amend(published: dict[str, Any], *changes: dict[str, Any] | None) -> dict[str, Any]:
    """``published`` with each change in turn: one that has a "name" replaces it, another only changes its values."""
    for change in changes:
        if change is not None:
            published = dict(change) if "name" in change else {**published, **change}
    return published


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
