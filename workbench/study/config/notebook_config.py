"""The typed configuration behind each notebook: what its parameters cell may set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationInfo

from workbench.study.config.checked import Config, Plain
from workbench.study.config.train_config import TrainConfig

Split = Literal["train", "validation", "test"]
WORLD = "data/synthadl/tiny"
#: A network for a try of a minute or two, on two cores.
QUICK = {"base": "tiny", "clip": [8, 48, 48]}
#: Parameters that several notebooks have.
RUNS: Any = Field(default="runs", description="folder of the run store")
SHARED_ROOT: Any = Field(
    default=None, description="folder or manifest of the runs' data; None: the newest data that all runs share"
)
OPTIONS: Any = Field(default={}, description="variant options of the system")
PRESET: Any = Field(default="tiny", description="tiny, study, paper or a dict of numbers")
CACHE: Any = Field(default="auto", description="folder for decoded clips")


def _no_name(value: Any, info: ValidationInfo) -> Any:
    """What papermill makes of names such as 1e5, None and true on the command line is refused, with the way out."""
    if value is None or isinstance(value, bool | float):
        raise ValueError(
            f"{info.field_name} should be a name or a whole number, got {value!r}; a name that looks like a number or "
            f"a word of YAML is given by papermill's -r {info.field_name} NAME, which keeps it as it is written"
        )
    return value


#: A clip or class, by name or number.
Named = Annotated[int | str, BeforeValidator(_no_name)]


class Notebook(Config):
    """What every notebook knows."""

    #: Parameters that mean the same in no other notebook.
    own: ClassVar[tuple[str, ...]] = ()

    seed: int = Field(default=0, ge=0, description="seed of all random choices")

    def needed(self) -> list[str]:
        """The runs that it reads: without them it can't be shown."""
        return []


class OfData(Notebook):
    """A notebook about clips."""

    dataset: str = Field(default="auto", description="name of the data set; auto: detected from the root")
    root: str | None = Field(
        default=WORLD, description="folder or manifest file of the data; None: the default of the data set"
    )
    protocol: str | None = Field(default=None, description="protocol; None: the data set's first")
    split: Split = "test"
    clip: Named = Field(default=0, description="position or id of the clip")


class OfRun(Notebook):
    """A notebook about one trained run."""

    runs: str = RUNS
    run: str = Field(default="latest:vpn", description="run id, or latest:<system>")
    root: str | None = SHARED_ROOT
    split: Split = "test"
    clip: Named | None = Field(
        default=None, description="position or id of the clip; None: the median of those that are classified correctly"
    )

    def needed(self) -> list[str]:
        """The runs that the notebook reads."""
        return [self.run]


class TwoRuns(Notebook):
    """A notebook that compares a second run with a first."""

    runs: str = RUNS
    first: str = Field(default="latest:rgb", description="run id, or latest:<system>")
    second: str = Field(default="latest:vpn", description="run id, or latest:<system>")
    root: str | None = SHARED_ROOT
    split: Split = "test"

    def needed(self) -> list[str]:
        """The runs that the notebook reads."""
        return [self.first, self.second]


class DataFlow(OfData):
    """00_data_flow: the shape and the picture at every step, from the file to the logits."""

    system: str = Field(default="vpn", description="system whose forward pass is shown")
    options: dict[str, Plain] = OPTIONS
    preset: str | dict[str, Any] = PRESET


class Train(OfData):
    """01_train: fit one system and look at how it went."""

    system: str = Field(default="vpn", description="system to train")
    options: dict[str, Plain | list[Plain] | None] = OPTIONS
    preset: str | dict[str, Any] = PRESET
    runs: str = RUNS
    epochs: int | dict[str, int] | None = Field(
        default=None, description="epochs of all stages, or by stage; None: the preset's"
    )
    init: dict[str, str] = Field(default={}, description="initial weights, by module")
    cache: str | None = CACHE
    limit: int | dict[str, int] | None = Field(
        default=None, description="maximum number of clips in each split, or by split"
    )
    more: dict[str, Any] = Field(default={}, description="any other field of TrainConfig")

    def training(self) -> TrainConfig:
        """The configuration that ``fit`` takes."""
        shared = set(type(self).model_fields) & set(TrainConfig.model_fields)
        return TrainConfig(**{**{name: getattr(self, name) for name in shared}, **self.more})


class GradCam(OfRun):
    """02_gradcam: which places and moments raise the score of a class."""

    run: str = Field(default="latest:rgb", description="run id, or latest:<system>")
    layer: str | None = Field(
        default=None,
        description="module whose feature map is weighted; None: three quarters of the way through the network",
    )
    target: Named | None = Field(
        default=None, description="class to explain, by label or name; None: the predicted one"
    )


class Embeddings(TwoRuns):
    """03_embeddings: the feature spaces of two runs in the plane, aligned."""

    methods: list[Literal["pca", "tsne", "umap"]] = Field(default=["tsne", "umap"], description="embedding method")
    neighbors: int | None = Field(
        default=None, gt=1, description="perplexity or n_neighbors; None: fitted to the number of clips"
    )
    classes: list[str] | None = Field(default=None, description="classes to show; None: all")


class AttentionMaps(OfRun):
    """04_attention_maps: spatial, temporal and coupled weights over the video, joints and kernels."""

    source: str = Field(default="attention", description="the map that the player shows first")
    opacity: float = Field(default=0.7, ge=0, le=1, description="opacity of the map over the picture")
    kernels: int = Field(default=5, ge=1, le=16, description="number of channels of the feature map to show")
    table: str = Field(
        default="notebooks/ablations/attention_ceiling.yaml", description="the ceilings, as a table file"
    )

    def ceiling_by(self) -> str:
        """The command that runs the table of ceilings."""
        return _command(f"sweep {self.table}", runs=self.runs)


class PoseRendering(OfData):
    """05_pose_rendering: the ways to draw a skeleton as pictures, and what a network makes of each."""

    variants: list[str] = Field(
        default=["video", "frame-bar-fine", "black-bar-fine", "black-dot-coarse"],
        description="what is shown side by side: video, or words such as black-dot-coarse-uniform-x2-#ff8800",
    )
    thickness: float = Field(default=1.0, gt=0, le=5, description="how many times as thick as the paper's")
    palette: list[str] = Field(default=[], description="colours such as #ff8800, in turn for the parts of the body")
    train: bool = Field(default=False, description="train a small stream for each row of the table")
    table: str = Field(default="notebooks/ablations/perfnet_table2.yaml", description="the rows, as a table file")
    preset: str | dict[str, Any] = Field(default=QUICK, description="tiny, study, paper or a dict of numbers")
    runs: str = RUNS
    epochs: int | dict[str, int] | None = Field(
        default=2, description="epochs of all stages, or by stage; None: the table's"
    )
    limit: int | None = Field(default=29, gt=0, description="maximum number of clips in each split; None: all")
    seeds: int = Field(default=1, gt=0, description="number of runs for each row")
    cache: str | None = CACHE

    def training(self) -> dict[str, Any]:
        """What ``sweep`` is told beside the table file: which rows, seeds, and fields of TrainConfig."""
        names = ("dataset", "root", "protocol", "preset", "runs", "limit", "cache")
        shared = {name: getattr(self, name) for name in names}
        if self.epochs is not None:
            shared["epochs"] = self.epochs
        return {"rows": None if self.train else [], "seeds": self.seeds, **shared}

    @property
    def effort(self) -> str:
        """How much is trained, in a few words."""
        clips = "all clips" if self.limit is None else f"{self.limit} clips a split"
        epochs = "the table's" if self.epochs is None else self.epochs
        return f"here: {clips}, epochs: {epochs}, seeds: {self.seeds}"


class Confusion(TwoRuns):
    """06_confusion: which actions are confused, and where a second run gains."""

    block: int = Field(default=6, ge=2, le=12, description="classes in the zoom")
    pairs: int = Field(default=8, ge=3, le=16, description="action pairs on the radar")
    top: int = Field(default=5, ge=1, le=12, description="classes with the largest gains")


class Detection(TwoRuns):
    """07_detection: one untrimmed video in two detectors, and where the second gains."""

    own: ClassVar[tuple[str, ...]] = ("root",)  # long videos, where others have clips

    first: str = Field(default="latest:detector", description="run id, or latest:<system>: vanilla RGB")
    second: str = Field(default="latest:augmented_rgb", description="run id, or latest:<system>: a distilled student")
    two_stream: str | None = Field(
        default=None, description="run id of a detector with two streams, for figures 3 and 4"
    )
    boundaries: str | None = Field(default=None, description="run id of a student with the boundary loss; None: second")
    video: int | str = Field(default=0, description="position or id of the video")
    iou: float = Field(default=0.3, ge=0.1, le=0.9, description="minimum overlap of a detection with its event")
    least: float = Field(default=0.3, ge=0, le=1, description="detections below this score are not drawn")
    pose_seconds: float | None = Field(
        default=None, gt=0, description="seconds that another program takes for the poses of a frame"
    )

    def needed(self) -> list[str]:
        """The runs that the notebook reads."""
        return [self.first, self.second, *(run for run in (self.two_stream, self.boundaries) if run)]


class Explorer(OfRun):
    """10_explorer: drag a joint, cover a region, and see what the network answers."""

    other: str = Field(default="latest:rgb", description="run id, or latest:<system>: shown beside the run")
    donor: int | str = Field(default=1, description="position or id of the clip that joints are taken from")
    joint: str = Field(default="hand_right", description="the joint that the examples change")
    limit: int = Field(default=12, ge=1, description="number of clips in the tables of a whole split")
    steps: int = Field(default=8, ge=1, le=64, description="points on the insertion and deletion curves")

    def needed(self) -> list[str]:
        """The runs that the notebook reads."""
        return [self.run, self.other]


class Distillation(OfRun):
    """08_distillation: teacher and student side by side."""

    run: str = Field(default="latest:vpn_f", description="run id, or latest:<system>: a distilled one")
    baseline: str = Field(default="latest:rgb", description="run id, or latest:<system>: without a teacher")
    teacher: str | None = Field(default=None, description="name of the teacher; None: the first")
    method: Literal["pca", "tsne", "umap"] = Field(default="tsne", description="embedding method")
    classes: list[str] | None = Field(default=None, description="actions to colour; None: the most confused")
    paper: str = Field(default="notebooks/papers/vpnpp_figure8.yaml", description="file with the paper's numbers")

    def needed(self) -> list[str]:
        """The runs that the notebook reads."""
        return [self.run, self.baseline]


class AblationReport(Notebook):
    """09_ablation_report: the papers' tables beside ours, and which of their claims hold here."""

    tables: list[str] = Field(default=["notebooks/ablations/vpn_table1.yaml"], description="table files")
    runs: str = RUNS
    seeds: int | None = Field(default=None, gt=0, description="as in the sweep; None: the table file's")
    preset: str | None = Field(default=None, description="as in the sweep; None: the table file's")
    root: str | None = Field(default=None, description="as in the sweep; None: the table file's")
    limit: int | None = Field(default=None, gt=0, description="as in the sweep")
    protocols: list[str] | None = Field(default=None, description="as in the sweep; None: the table file's")
    links: str | None = Field(default=None, description="folder from which links start; None: the current one")

    def studied(self) -> dict[str, Any]:
        """The arguments of ``sweep.read``."""
        where = {name: getattr(self, name) for name in ("runs", "preset", "root", "limit")}
        where = {name: value for name, value in where.items() if value is not None}
        return {"paths": self.tables, "seeds": self.seeds, "protocols": self.protocols, "where": where}

    def made_by(self) -> str:
        """The command that runs the tables."""
        options = {name: getattr(self, name) for name in ("runs", "root", "seeds", "preset", "limit")}
        return _command(" ".join(["sweep", *self.tables]), **options, protocols=" ".join(self.protocols or ()))


def _command(command: str, **options: Any) -> str:
    """A command line that tells what is told, but for the usual folder of runs."""
    more = [f"--{name} {value}" for name, value in options.items() if value and (name, value) != ("runs", "runs")]
    return " ".join(["python -m workbench", command, *more])


#: Each notebook's file name without ending, in the order in which data flow.
CONFIGS: dict[str, type[Notebook]] = {
    "00_data_flow": DataFlow,
    "01_train": Train,
    "02_gradcam": GradCam,
    "03_embeddings": Embeddings,
    "04_attention_maps": AttentionMaps,
    "05_pose_rendering": PoseRendering,
    "06_confusion": Confusion,
    "07_detection": Detection,
    "08_distillation": Distillation,
    "09_ablation_report": AblationReport,
    "10_explorer": Explorer,
}


class PoseAttentionLab(OfRun):
    """Lab 1: the coupler and two forms of modulation, on a run of vpn."""


class DistillationLab(TwoRuns):
    """Lab 2: the contrast and the attention distillation, on the stored features and maps of three runs."""

    first: str = Field(default="latest:pose_lstm", description="the teacher of features: run id, or latest:<system>")
    second: str = Field(default="latest:rgb", description="the student: run id, or latest:<system>")
    attention: str = Field(default="latest:vpn", description="the teacher of attention: run id, or latest:<system>")
    steps: int = Field(default=200, ge=1, description="steps of training the embedding")

    def needed(self) -> list[str]:
        """The runs that the lab reads."""
        return [self.first, self.second, self.attention]


class DrawingLab(OfData):
    """Lab 3: a skeleton as a picture, on a clip."""


#: The labs in notebooks/labs, which no page shows: they are to be filled in.
LABS: dict[str, type[Notebook]] = {
    "1_pose_attention": PoseAttentionLab,
    "2_distillation": DistillationLab,
    "3_drawing_poses": DrawingLab,
}


def config_of(notebook: str | Path) -> type[Notebook]:
    """The configuration class of a notebook's or lab's file; ValueError naming the known ones otherwise."""
    stem, configs = Path(notebook).stem, CONFIGS | LABS
    if stem not in configs:
        raise ValueError(f"no configuration is known for the notebook {stem!r}; known: {', '.join(configs)}")
    return configs[stem]
