"""Two-level fusion of appearance, short-term motion and poses (thesis chapter 3; Das et al., AVSS 2018 and MMM 2019).

Appearance F1 is a video network's features of the best region of the body, pooled over time; motion F2 the Fisher
vectors of dense trajectories; pose motion F3 what an LSTM makes of the poses. F1 and F2 are fused early, into one
classifier; its scores and those of F3's are fused late. Actions that are then still taken for each other are told apart
by classifiers of their own.

The thesis takes a 2D network frame by frame (ResNet-152) or, with many clips, I3D. Here it is the video backbone, which
is not trained: its feature map, averaged over H' x W', has T' time steps in place of frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench import losses
from workbench.nets.modules import ModuleDict
from workbench.nets.pooling import max_min
from workbench.nets.video.layers import VideoBackbone
from workbench.systems.baselines.pose_lstm import PoseLSTMClassifier
from workbench.systems.common import linear
from workbench.systems.common.base import Stage, System
from workbench.systems.common.building import Setting, assemble
from workbench.systems.common.composite import member_stages
from workbench.systems.common.pair_memory import PairMemory, confused_pairs, join
from workbench.systems.thesis.dense_trajectories import Codebook, CodebookOptions, codebook
from workbench.types import Batch, Field, Output

Cue = Literal["appearance", "motion", "pose"]
Region = Literal["left_hand", "right_hand", "upper_body", "full_body", "full_frame"]

#: The field of Batch that each cue reads.
READS: dict[str, Field] = {"appearance": "parts", "motion": "trajectories", "pose": "pose"}

# Section 3.4.1: "initialized with learning rate 0.005".
POSE_OPTIMIZER = {"name": "adam", "lr": 0.005}


@dataclass(frozen=True)
class TwoLevelFusionOptions(CodebookOptions):
    """cues, and their fusion: "early" puts all of them into one classifier, two_level leaves the poses to late fusion
    (table 3.2). regions, one of which is chosen. difference: frames between those that are subtracted (eq. 3.4).

    alpha weighs the early against the late classifier where it is not searched for. discrimination is the action-pair
    memory, epsilon the confusion from which a pair is in it, set by hand "in function of the confusion matrix" (3.4.2):
    0.1 for NTU-60, 0.44 for CAD-120 (0.4 in table 3.3). A class of n validation clips adds 1/n for each mistake, so
    that with few of them a small epsilon lets a pair in for a single one.
    classifier: "svm", or "sgd" for many clips (6.3). hidden: numbers a layer of the LSTM, 512 for NTU-60, 64 for CAD-60
    and CAD-120, 128 for MSRDailyActivity3D. pose_padding is the loader's: zeros behind the poses of a video that is
    shorter than t_p (3.3.1: "We normalize the time steps in videos by padding with zeros"), or its poses again."""

    cues: tuple[Cue, ...] = ("appearance", "motion", "pose")
    fusion: Literal["two_level", "early"] = "two_level"
    regions: tuple[Region, ...] = ("left_hand", "right_hand", "upper_body", "full_body", "full_frame")
    difference: int = 4
    alpha_search: bool = True
    alpha: float = 0.5
    discrimination: bool = True
    epsilon: float = 0.1
    classifier: Literal["svm", "sgd"] = "svm"
    hidden: int = 512
    dropout: float = 0.5
    pose_padding: Literal["zeros", "repeat"] = "zeros"

    def __post_init__(self) -> None:
        for name in ("cues", "regions"):
            if len(set(getattr(self, name))) < len(getattr(self, name)):
                raise ValueError(f"two_level_fusion: {name} must differ from each other, got {getattr(self, name)}")
        if self.alpha > 1:
            raise ValueError(f"two_level_fusion: alpha must be between 0 and 1, got {self.alpha}")
        if not 0 < self.epsilon <= 2:
            raise ValueError(f"two_level_fusion: epsilon must be in (0, 2], got {self.epsilon}")


class TwoLevelFusion(System):
    """``region``, ``alpha``, ``scales`` (of the classifiers' scores) and ``memory`` are found on validation clips;
    until then the last region is taken, alpha is the option's and the memory is empty."""

    needs_train = frozenset({*READS.values(), "label"})
    needs_test = frozenset(READS.values())
    Options = TwoLevelFusionOptions

    backbone: VideoBackbone
    fisher: Codebook
    pose: PoseLSTMClassifier
    region: Tensor
    norms: Tensor
    alpha: Tensor
    scales: Tensor

    def __init__(self, setting: Setting, options: TwoLevelFusionOptions) -> None:
        super().__init__()
        self.options, classes = options, setting.num_classes
        self.needs_test = frozenset(READS[cue] for cue in options.cues)
        self.needs_train = self.needs_test | {"label"}
        sizes: dict[str, int] = {}
        if "appearance" in options.cues:
            self.backbone = setting.video_backbone()
            self.step = time_step(options.difference, setting.clip[0], self.backbone.grid(setting.clip)[0])
            sizes["appearance"] = 4 * self.backbone.channels
        if "motion" in options.cues:
            self.fisher = codebook(setting, options)
            sizes["motion"] = self.fisher.features
        if "pose" in options.cues:
            self.pose = assemble(PoseLSTMClassifier, setting, hidden=options.hidden, dropout=options.dropout)
            sizes["pose"] = setting.poses * options.hidden
        late = ["pose"] if options.fusion == "two_level" and "pose" in sizes else []
        groups = {"early": [cue for cue in sizes if cue not in late], "late": late}
        self.groups = {name: cues for name, cues in groups.items() if cues}
        self.classifiers: ModuleDict[nn.Linear] = ModuleDict(
            {name: nn.Linear(sum(sizes[cue] for cue in cues), classes) for name, cues in self.groups.items()}
        )
        self.memory = PairMemory(sizes, classes)
        self.register_buffer("region", torch.tensor(len(options.regions) - 1))
        self.register_buffer("norms", torch.ones(len(options.regions)))
        self.register_buffer("alpha", torch.tensor(float(options.alpha)))
        self.register_buffer("scales", torch.ones(len(self.groups)))

    def forward(self, batch: Batch) -> Output:
        """Reads the fields of its cues, or features in their place; maps: parts, which region is read."""
        features = self.read(batch, [int(self.region)]) if batch.features is None else batch.features
        # What follows is small beside the networks, and is exact in fp32 whatever their precision.
        with torch.autocast(self.alpha.device.type, enabled=False):
            blocks = self.blocks(features)  # F1, F2, F3, [B,F_i]
            inputs = {name: join([blocks[cue] for cue in cues]) for name, cues in self.groups.items()}
            aux = {name: self.classifiers[name](x) for name, x in inputs.items()}  # [B,N]
            scores = self.memory(self.fuse(list(aux.values())), blocks)
            if "pose" in features:
                aux["steps"] = self.pose.classifier(self.pose.dropout(features["pose"]))  # [B,t_p,N]
        maps = {}
        if "appearance" in features:
            chosen = F.one_hot(self.region, len(self.norms)).to(scores.dtype)
            maps["parts"] = chosen.expand(len(scores), -1)
        return Output(scores.clamp_min(1e-12).log(), torch.cat(list(inputs.values()), dim=1), maps, aux)

    def encode(self, batch: Batch) -> dict[str, Tensor]:
        """What the cues are made of, for all regions."""
        return self.read(batch, range(len(self.norms)))

    def read(self, batch: Batch, regions: Sequence[int]) -> dict[str, Tensor]:
        """appearance [B,K,4C] and size [B,K], the mean norm of a time step, of the K ``regions``; motion [B,F2];
        pose [B,t_p,hidden], the LSTM's output."""
        features = {}
        if "appearance" in self.options.cues:
            parts = self.take(batch, "parts")
            if parts.shape[1] != len(self.norms):
                names = ", ".join(self.options.regions)
                raise ValueError(f"batch.parts has {parts.shape[1]} regions, expected {len(self.norms)}: {names}")
            described = [self.describe(parts[:, region]) for region in regions]
            features["appearance"], features["size"] = (
                torch.stack(values, 1) for values in zip(*described, strict=True)
            )
        if "motion" in self.options.cues:
            features["motion"] = self.fisher(batch).features
        if "pose" in self.options.cues:
            features["pose"] = self.pose.pose_backbone(self.take(batch, "pose"))
        return features

    @torch.no_grad()
    def describe(self, video: Tensor) -> tuple[Tensor, Tensor]:
        """The static and the dynamic descriptor of a region [B,3,T,H,W], [B,4C], and the mean norm of z_t, [B]."""
        z = self.backbone(video).float().mean((3, 4)).mT  # eq. 3.1, [B,T',C]
        return max_min(z, self.step), z.norm(dim=2).mean(1)  # eq. 3.2 to 3.4

    def blocks(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """F1 of the chosen region, divided by the average norm of z_t; F2; F3, the LSTM's output at all steps."""
        blocks = {}
        if "appearance" in features:
            appearance = features["appearance"]
            index = 0 if appearance.shape[1] == 1 else int(self.region)
            blocks["appearance"] = appearance[:, index] / self.norms[self.region]
        if "motion" in features:
            blocks["motion"] = features["motion"]
        if "pose" in features:
            blocks["pose"] = features["pose"].detach().flatten(1)
        return blocks

    def fuse(self, scores: list[Tensor]) -> Tensor:
        """s = alpha P(y|Fx) + (1 - alpha) P(y|F3) (eq. 3.6), [B,N] each; of one classifier, its own P."""
        chances = [(scale * score).softmax(1) for scale, score in zip(self.scales, scores, strict=True)]
        if len(chances) == 1:
            return chances[0]
        return self.alpha * chances[0] + (1 - self.alpha) * chances[1]

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The SVMs' loss, of each by itself: the two are fused after they are trained."""
        label = self.take(batch, "label")
        terms = {name: losses.squared_hinge(output.aux[name], label) for name in self.groups}
        return {**terms, "total": torch.stack(list(terms.values())).sum()}

    def pose_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy at every step (eq. 3.5, which sums over the steps; the text averages)."""
        total = losses.every_step(output.aux["steps"], self.take(batch, "label"))
        return {"total": total, "classification": total}

    def codebook_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The codebook's own."""
        return self.fisher.codebook_loss(output, batch)

    @torch.no_grad()
    def fit_fusion(self, train: Iterable[Batch], validation: Iterable[Batch] | None) -> dict[str, float]:
        """The region, the classifiers, how they are fused, and the pairs, one after the other, from what ``encode``
        made of the clips; see ``linear.keep`` where there are none for validation."""
        kept, held = linear.keep(train, validation)
        numbers = self.fit_region(kept, held) if "appearance" in self.options.cues else {}
        splits = [self.on_device(split) for split in (kept, held)]
        scores = []
        for name, cues in self.groups.items():
            fitted, chosen = [
                (join([blocks[cue] for cue in cues]).cpu().numpy(), label.cpu().numpy()) for blocks, label in splits
            ]
            classifier = linear.search(self.options.classifier, fitted, chosen, self.classifiers[name].out_features)
            classifier.copy_to(self.classifiers[name])
            numbers |= {f"{name}_cost": classifier.cost, f"{name}_accuracy": classifier.accuracy}
            blocks, label = splits[1]
            scores.append(self.classifiers[name](join([blocks[cue] for cue in cues])))
        numbers |= self.fit_weights(scores, label)
        fused = self.fuse(scores)
        numbers["fused_accuracy"] = accuracy(fused, label)
        if self.options.discrimination:
            pairs = confused_pairs(fused, label, self.options.epsilon)
            self.memory.fit(self.options.classifier, pairs, *splits)
            # What one mistake adds to C(i,j) + C(j,i): an epsilon below that lets in whatever happened once.
            numbers["one_mistake"] = 1 / float(torch.bincount(label)[label].min())
            numbers |= {"pairs": float(len(pairs)), "accuracy": accuracy(self.memory(fused, splits[1][0]), label)}
        return numbers

    def fit_region(self, kept: linear.Kept, held: linear.Kept) -> dict[str, float]:
        """The region whose own classifier is best on the validation clips, and the norms of all."""
        self.norms.copy_(torch.from_numpy(kept.features["size"].mean(0)).clamp_min(1e-12))
        accuracies = []
        for region, norm in enumerate(self.norms.tolist()):
            fitted, chosen = [(split.features["appearance"][:, region] / norm, split.label) for split in (kept, held)]
            accuracies.append(linear.search(self.options.classifier, fitted, chosen, len(self.memory.pairs)).accuracy)
        self.region.fill_(accuracies.index(max(accuracies)))
        return {f"{name}_accuracy": score for name, score in zip(self.options.regions, accuracies, strict=True)}

    def fit_weights(self, scores: list[Tensor], label: Tensor) -> dict[str, float]:
        """How sure each classifier's scores [n,N] are, and alpha."""
        self.scales.copy_(torch.stack([best_scale(score, label) for score in scores]))
        if len(scores) < 2 or not self.options.alpha_search:
            return {}
        early, late = [(scale * score).softmax(1) for scale, score in zip(self.scales, scores, strict=True)]
        self.alpha.fill_(best_alpha(early, late, label))
        return {"alpha": float(self.alpha)}

    def on_device(self, split: linear.Kept) -> tuple[dict[str, Tensor], Tensor]:
        """F1, F2 and F3 of a split's clips, and their labels."""
        device = self.alpha.device
        features = {name: torch.from_numpy(value).to(device) for name, value in split.features.items()}
        return self.blocks(features), torch.from_numpy(split.label).to(device)

    def stages(self) -> list[Stage]:
        """The LSTM, the mixtures of the Fisher vectors, and all that follows in closed form."""
        stages: list[Stage] = []
        if "pose" in self.options.cues:
            stages += [replace(stage, optimizer=POSE_OPTIMIZER) for stage in member_stages("pose", self.pose)]
        if "motion" in self.options.cues:
            stages += member_stages("fisher", self.fisher)
        return [*stages, Stage("head", trains=("classifiers",), cached="encode", solve="fit_fusion")]


def time_step(frames: int, length: int, steps: int) -> int:
    """How many of the ``steps`` of a feature map are nearest to ``frames`` of a clip of ``length``: from 1 to all but
    one. ValueError if there is but one."""
    if steps < 2:
        raise ValueError(f"two_level_fusion pools changes over time: {length} frames must give at least 2 time steps")
    return min(max(1, round(frames * steps / length)), steps - 1)


def accuracy(scores: Tensor, label: Tensor) -> float:
    """The share in [0,1] of clips whose highest of scores [n,N] is that of their label [n]."""
    return float((scores.argmax(1) == label).float().mean())


def best_scale(scores: Tensor, label: Tensor) -> Tensor:
    """The factor that makes scores [n,N] of an SVM the best logits, by cross-entropy: P(y|F) of eq. 3.6, a scalar."""
    scales = torch.logspace(-1, 2, 31, device=scores.device)
    return scales[torch.stack([F.cross_entropy(scale * scores, label) for scale in scales]).argmin()]


def best_alpha(first: Tensor, second: Tensor, label: Tensor) -> float:
    """The alpha in [0,1], in steps of 0.01, for which alpha first + (1 - alpha) second [n,N] are most often right; of
    several the middle one."""
    alphas = [step / 100 for step in range(101)]
    accuracies = [accuracy(alpha * first + (1 - alpha) * second, label) for alpha in alphas]
    best = [alpha for alpha, score in zip(alphas, accuracies, strict=True) if score == max(accuracies)]
    return best[len(best) // 2]
