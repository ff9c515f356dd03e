"""A small system and a small clip to ask what if about: every number is known or can be worked out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from workbench.types import Batch, Clip, Output, Pose, Skeleton, Truth

FRAMES, SIDE, POSES = 8, 24, 4
SKELETON = Skeleton.named("kinect_v2")
#: Pixels a metre, and where the hips stand on the picture.
ZOOM, HIPS = 10.0, (12.0, 12.0)


@dataclass
class Sample:
    clip: Clip
    batch: Batch
    pixels: Pose | None
    truth: Truth | None
    pose_numbers: np.ndarray | None


class Toy(nn.Module):
    """A video network of cells 2 x 6 x 6, poses that weigh them in space and time, and a linear classifier of 3."""

    needs_test = frozenset({"video", "pose"})

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone = nn.Sequential(nn.Conv3d(3, 5, (4, 4, 4), stride=(4, 4, 4)), nn.ReLU())
        self.pose_backbone = nn.Linear(POSES * SKELETON.count * 3, 38)
        self.dropout = nn.Dropout(0.5)
        self.classifier = nn.Linear(5, 3)
        self.passes = 0
        self.backbone[0].register_forward_hook(self._count)

    def _count(self, *_: object) -> None:
        self.passes += 1

    def forward(self, batch: Batch) -> Output:
        f = self.backbone(batch.video)
        scores = self.pose_backbone(batch.pose.mean(1).flatten(1))
        spatial, temporal = scores[:, :36].sigmoid().view(-1, 6, 6), scores[:, 36:].softmax(1)
        attention = temporal[:, :, None, None] * spatial[:, None]
        modulated = attention[:, None] * f + f
        features = modulated.mean((2, 3, 4))
        maps = {"feature_map": f, "modulated": modulated, "spatial": spatial, "temporal": temporal}
        return Output(self.classifier(self.dropout(features)), features, maps | {"attention": attention})


def body() -> np.ndarray:
    """float32 [V,3]: a body in metres, hips at the origin, no two joints in one place."""
    joints = np.random.default_rng(3).uniform(-0.8, 0.8, (SKELETON.count, 3)).astype(np.float32)
    joints[0] = 0
    return joints


def sample(**changes: object) -> Sample:
    """A clip of a body that is drawn ZOOM pixels a metre (y up), moving to the right by a pixel a frame."""
    rng = np.random.default_rng(0)
    numbers = np.arange(FRAMES) * 3
    frames = rng.integers(0, 255, (FRAMES, SIDE, SIDE, 3), dtype=np.uint8)
    joints = np.broadcast_to(body(), (1, POSES, SKELETON.count, 3)).copy()
    points = np.broadcast_to(body()[:, :2] * [ZOOM, -ZOOM], (1, FRAMES, SKELETON.count, 2)) + HIPS
    points = points + np.arange(FRAMES)[None, :, None, None] * [1.0, 0.0]
    mask = np.zeros((FRAMES, SIDE, SIDE), bool)
    mask[4:, :4, :4] = True
    truth = Truth(np.zeros(25, bool), mask, np.full((FRAMES, 4), np.nan, np.float32), (12, 24), numbers)
    batch = Batch(
        video=torch.from_numpy(frames.transpose(3, 0, 1, 2).copy())[None],
        pose=torch.from_numpy(joints)[None],
        label=torch.tensor([1]),
        ids=["toy"],
        frame_numbers=torch.from_numpy(numbers)[None],
    )
    pixels = Pose(points.astype(np.float32), SKELETON, "image", numbers)
    given = {"clip": Clip(frames, numbers, 24.0, source="toy.mp4"), "batch": batch, "pixels": pixels, "truth": truth}
    return Sample(**{**given, "pose_numbers": np.array([0, 6, 12, 18]), **changes})
