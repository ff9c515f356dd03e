"""An experiment: one configuration, resolved once on what its data are, and handed on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from workbench.data import Augment, ClipSpec
from workbench.study.config.kinds import Kind, kind_of
from workbench.study.config.preset_fields import Preset, preset_numbers
from workbench.study.config.stages import Procedure
from workbench.study.config.train_config import TrainConfig
from workbench.systems import Stage, System, build, variants
from workbench.systems.common.building import Setting
from workbench.types import Skeleton


@dataclass(frozen=True)
class Experiment:
    """What a configuration comes to. Nobody who has an experiment asks its configuration, ``config``, which is kept for
    the record.

    identity    what says which run it is, as plain values
    kind        of data, and with it the objective (see ``kinds``)
    setting     the sizes that the system is built for
    options     those of the system: the preset's as far as the system has them, the preset's for it alone, then the
                configuration's own
    clip        how clips are cut, and how good their poses are. A system's option that has the name of a field of
                ClipSpec, such as how poses are drawn, says that too
    procedure   what is changed of the published stages
    numbers     the preset's

    The others are fields of TrainConfig; batch_size is the preset's where the configuration has none.
    """

    config: TrainConfig
    identity: dict[str, Any]
    kind: Kind
    setting: Setting
    options: dict[str, Any]
    clip: ClipSpec
    procedure: Procedure
    numbers: Preset
    batch_size: int

    system: str
    network: str | None
    dataset: str
    root: str | None
    protocol: str | None
    limit: int | dict[str, int] | None
    seed: int
    patience: int | None
    init: dict[str, str]
    snippets: dict[str, str]
    window: int | None
    augment: bool
    precision: str
    channels_last: str
    runs: str
    evaluate: list[str]
    device: str
    devices: int
    nodes: int
    strategy: str
    workers: int
    cache: str | None
    checkpoint_seconds: float | None
    checkpoint_steps: int | None
    tags: dict[str, str]
    progress: bool

    @property
    def one_window(self) -> ClipSpec:
        """How one clip, the middle one, is cut of each video: for validation, and for what is kept of a clip."""
        return replace(self.clip, windows=1, test_area="centre")

    @property
    def augmentation(self) -> Augment | None:
        """What is drawn for each training clip, if anything."""
        numbers = self.numbers.augment if self.augment else None
        return None if numbers is None else Augment(**numbers)

    def reading(self, channels: dict[str, int] | None) -> Experiment:
        """The same, of a system that reads features of snippets with so many ``channels`` by modality."""
        return replace(self, setting=replace(self.setting, features=channels))

    def build(self) -> System:
        """The untrained system; ValueError for a wrong value of an option."""
        options = {name: value for name, value in self.options.items() if name != "backbone"}
        return build(self.system, **vars(self.setting), digest=self.network, **options)

    def stages(self, system: System) -> list[Stage]:
        """What ``system`` goes through."""
        return self.procedure.of(system.stages())


def resolve(
    config: TrainConfig,
    classes: Sequence[str] = ("any",),
    skeleton: str | None = None,
    features: dict[str, int] | None = None,
) -> Experiment:
    """What ``config`` comes to on data of these ``classes`` with poses on this ``skeleton`` (None, no poses, leaves the
    systems' own default); ``features`` are the channels of snippets by modality, for systems that read them."""
    kind = kind_of(config.system)
    numbers = preset_numbers(config.preset, kind, config.batch_size)
    defaults = {name: option.default for name, option in variants(config.system).items()}
    options = _options(config.system, numbers.options, config.options, defaults)
    backbone = options.get("backbone") or defaults.get("backbone", "i3d")
    cut, sizes = numbers.cut, (numbers.width, numbers.output_stride)
    body = Skeleton.named(skeleton or "kinect_v2")
    setting = Setting(len(classes), body, cut.clip, cut.poses, backbone, *sizes, features)
    clip_fields = {name: value for name, value in (defaults | options).items() if name in ClipSpec.__dataclass_fields__}
    changes = config.epochs, config.optimizer, config.schedule, config.clip_grad, tuple(config.freeze)
    derived = {
        "options": options,
        "clip": cut.spec(**clip_fields, pose_quality=config.pose_quality),
        "procedure": Procedure(config.system, numbers, *changes, begun=bool(config.init)),
        "numbers": numbers,
        "batch_size": numbers.batch_size,
    }
    shared = {field.name for field in fields(Experiment)} & set(TrainConfig.model_fields)
    values = {name: getattr(config, name) for name in shared}
    return Experiment(config, config.identity(), **{**values, "kind": kind, "setting": setting, **derived})


def _options(system: str, preset: dict[str, Any], own: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """The system's options: the preset's as far as it has them, the preset's for it alone, then its ``own``."""
    shared = {name: value for name, value in preset.items() if name in defaults}
    alone = {name.removeprefix(f"{system}."): v for name, v in preset.items() if name.startswith(f"{system}.")}
    if "teachers" in defaults:
        shared = _for_teachers(shared, own.get("teachers", defaults["teachers"]))
    return shared | alone | own


def _for_teachers(options: dict[str, Any], teachers: Any) -> dict[str, Any]:
    """The options that hold for these teachers: of those with a value for each choice of teachers, its own or none."""
    key = "+".join(sorted(teachers)) if isinstance(teachers, list | tuple) else teachers
    by_teacher = {name: value.get(key) for name, value in options.items() if isinstance(value, dict)}
    plain = {name: value for name, value in options.items() if name not in by_teacher}
    return plain | {name: value for name, value in by_teacher.items() if value is not None}
