"""The printed weight of the boundary loss, 5, in the readings that the paper prints and in others."""

from __future__ import annotations

import pytest
import torch

from workbench import losses
from workbench.systems import build
from workbench.types import Batch

CLASSES, VIDEOS, SNIPPETS, CHANNELS, STEPS = 20, 8, 40, 16, 100


@pytest.fixture(scope="module")
def batch() -> Batch:
    """Videos of five actions one after the other; a snippet's features are its action's, with noise, less of it for
    poses."""
    rng = torch.Generator().manual_seed(0)
    actions = torch.randint(CLASSES, (VIDEOS, SNIPPETS // 8), generator=rng).repeat_interleave(8, dim=1)
    label = torch.nn.functional.one_hot(actions, CLASSES).float()
    features = {}
    for name, noise in (("rgb", 1.0), ("pose", 0.3)):
        of_action = torch.randn(CLASSES, CHANNELS, generator=rng)
        features[name] = label @ of_action + noise * torch.randn(VIDEOS, SNIPPETS, CHANNELS, generator=rng)
    return Batch(features=features, label=label, mask=torch.ones(VIDEOS, SNIPPETS, dtype=torch.bool))


def fit(system, parameters, batch: Batch) -> None:
    optimizer = torch.optim.Adam(parameters, 1e-3)
    for _ in range(STEPS):
        optimizer.zero_grad()
        system.loss(system(batch), batch)["total"].backward()
        optimizer.step()


def learnt(batch: Batch, **options) -> tuple[float, float]:
    """Of a student that only the boundary loss distils: the share of snippets whose action it gets right, and its
    printed boundary loss, both on what it was trained on."""
    torch.manual_seed(0)
    sizes = {"rgb": CHANNELS, "pose": CHANNELS}
    variant = {"teachers": ["pose"], "terms": ["boundary"], "dropout": 0.0, **options}
    system = build("augmented_rgb", CLASSES, width=0.125, features=sizes, **variant)
    fit(system.teachers["pose"], system.teachers["pose"].parameters(), batch)
    system.teachers.requires_grad_(False)
    fit(system, system.student.parameters(), batch)
    with torch.no_grad():
        mine, theirs = system.student(batch), system.teach(batch)["pose"]
    right = (mine.logits.argmax(2) == batch.label.argmax(2)).float().mean()
    return float(right), float(losses.boundary_saliency(mine.aux["sequence"], theirs.aux["sequence"], "printed"))


def test_the_printed_weight_5_works_in_the_printed_readings(batch):
    alone, apart = learnt(batch, alpha_boundary=0.0)
    right, near = learnt(batch)
    assert alone > 0.9 and right > 0.75 and near < apart / 10
    # Where the cross-entropy is a mean over classes and changes are compared at every step, imitation wins.
    assert learnt(batch, reduction="mean", boundary="per_step")[0] < 0.65
