"""What an experiment is: one typed, checked configuration."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from workbench.data.catalog import AUTO
from workbench.nearest import hint
from workbench.study.config.checked import Config, Plain
from workbench.study.config.kinds import CLIPS, Kind, kind_of
from workbench.study.config.preset_fields import Preset, preset_numbers
from workbench.systems import names, reads_poses_alone, variants
from workbench.systems.common import own


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
                           as Conv3d_1a_7x7; where these are all of an I3D's before Mixed_4b, and augment is off, what
                           they make of a clip is computed once
      patience             epochs without a better validation score before a stage ends early, None to never
      init                 weights to start from, by module: {"backbone": "file.safetensors"} (in a module that holds
                           others, "" among them, each network that fits the file best, see nets.fitting), a name of
                           nets.weights.SHIPPED (i3d_synthadl_p), either with ":module" for a part of it, or a run id,
                           or "latest:<system>" for the newest run on the same data, whose module of the same name is
                           taken ("run:module" for another, "run:" for the whole; the module "" is the whole system)
      pose_quality         high (as recorded), medium or low (media.pose.degrade), in training and in test
      augment              crop, mirror, brightness, contrast in training
      limit                use only that many clips of each split, for a quick try, or by split: {"train": 100}
      precision            auto (bf16 where the processor is fast and right in it and the system convolves in
                           3D), fp32, bf16, fp16
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
            network = {"system": own.spelt(system), "network": values.get("network") or own.digest(system)}
            values = {**values, **network}
        elif values.get("network") is not None:
            raise ValueError(f"network is the SHA-256 of the file of a network of one's own, {system} is none")
        if values.get("dataset", AUTO) != AUTO or not (root is None or isinstance(root, str)):
            return values
        kind = kind_of(system) if own.is_own(system) or system in names() else CLIPS
        return {**values, "dataset": kind.dataset(root)}

    @model_validator(mode="after")
    def _names_exist(self) -> TrainConfig:
        options, kind = variants(self.system), self.kind
        for option in self.options:
            if option not in options:
                valid = f"{', '.join(options) or 'none'}{hint(option, options)}"
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
        identity = self.model_dump(mode="json", exclude=ELSEWHERE | self.kind.foreign)
        identity["system"] = self.title  # the file counts by its bytes, wherever it lies
        if self.network is None:
            del identity["network"]
        # Runs from before there was a choice keep their names.
        if not self.freeze:
            del identity["freeze"]
        if isinstance(self.preset, dict):
            before = {"validate_every": 1, "augment": {}, "freeze": []}
            identity["preset"] = {name: value for name, value in self.preset.items() if before.get(name) != value}
        return identity


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
