"""What holds for every system and every value of every option, whichever they are."""

from __future__ import annotations

from fnmatch import fnmatch

import pytest
import torch

from workbench.study.analysis.profiling import random_batch
from workbench.study.config.experiment import resolve
from workbench.study.config.train_config import TrainConfig
from workbench.study.train import optim
from workbench.systems import names, variants
from workbench.types import MAPS, TENSORS

PRESET = {"base": "tiny", "batch_size": 4, "clip": [8, 32, 32], "width": 0.125, "poses": 8}
CLASSES = 5
SMALL = {"gaussians": 2, "hidden": 8, "lstm_hidden": 8, "attention_hidden": 8, "embedding_size": 8}


def cases() -> list:
    """Every system as it is published, and with each other value of each of its options."""
    found = []
    for name in names():
        found.append(pytest.param(name, {}, id=name))
        for option, (default, valid, many) in variants(name).items():
            for value in valid or ():
                value = [value] if many else value
                if value != default:
                    found.append(pytest.param(name, {option: value}, id=f"{name}-{option}={value}"))
    return found


def made(name: str, options: dict):
    small = {key: value for key, value in SMALL.items() if key in variants(name)}
    config = TrainConfig(system=name, options={**small, **options}, preset=PRESET)
    torch.manual_seed(0)
    try:
        experiment = resolve(config, [str(i) for i in range(CLASSES)], "kinect_v2")
        system = experiment.build()
    except ValueError as refused:
        pytest.skip(f"refused by name: {refused}")
    return system, random_batch(system, experiment, 4)


@pytest.mark.parametrize(("name", "options"), cases())
def test_every_stage_trains_exactly_its_parts(name, options):
    system, batch = made(name, options)
    stages = system.stages()
    assert stages and len({stage.name for stage in stages}) == len(stages)
    for stage in stages:
        optim.freeze(system, stage)
        optim.train_mode(system)
        system.zero_grad(set_to_none=True)
        output = system(batch)
        moments = batch.label.shape[1:2]  # of a detector's labels [B,T,N]
        assert output.logits.shape == (4, *moments, CLASSES) and torch.isfinite(output.logits).all()
        terms = getattr(system, stage.loss)(output, batch)
        terms["total"].backward()
        trained = {key for key, value in system.named_parameters() if value.requires_grad}
        reached = {key for key, value in system.named_parameters() if value.grad is not None}
        assert reached <= trained, f"{stage.name} gives gradient to {sorted(reached - trained)[:3]}"
        for prefix in stage.trains:
            own = [key for key in trained if optim.matches(key, (prefix,))]
            assert any(key in reached for key in own), f"{stage.name} doesn't reach {prefix!r}"
        assert all(torch.isfinite(value.grad).all() for value in system.parameters() if value.grad is not None)
        part = system.get_submodule(stage.part)
        assert callable(getattr(part, stage.loss)) and all(
            callable(getattr(part, m or "loss")) for m in (stage.cached, stage.solve)
        )


@pytest.mark.parametrize(
    ("name", "options", "loss"),
    [
        ("rgb", {}, "loss"),
        ("vpn", {}, "backbone_loss"),
        ("separable_sta", {}, "backbone_loss"),
        ("separable_sta", {"attention": "none"}, "loss"),
        ("p_i3d", {}, "part_loss"),
        ("temporal_model", {"base": "vpn"}, "backbone_loss"),
        ("temporal_model", {"base": "p_i3d"}, "part_loss"),
    ],
)
def test_the_last_layer_is_regularized_while_the_backbone_is_tuned(name, options, loss):
    """Thesis 4.6.1: 0.001, of the weights of the classifier that the stage trains; in no other stage."""
    system, batch = made(name, {**options, "dropout": 0.0, "regularizer": 0.001})
    system.eval()
    plain, _ = made(name, {**options, "dropout": 0.0, "regularizer": 0.0})
    plain.eval().load_state_dict(system.state_dict())
    with torch.no_grad():
        with_it, without = (getattr(one, loss)(one(batch), batch)["total"] for one in (system, plain))
        last = "parts.*.classifier.weight" if loss == "part_loss" else "classifier.weight"
        inner = system.base if name == "temporal_model" else system
        heads = [value for key, value in inner.named_parameters() if fnmatch(key, last)]
        expected = 0.001 * sum(head.square().sum() for head in heads)
        assert heads and expected > 0
        torch.testing.assert_close(with_it - without, expected, rtol=1e-2, atol=1e-6)
        if loss != "loss":
            assert torch.equal(system.loss(system(batch), batch)["total"], plain.loss(plain(batch), batch)["total"])


@pytest.mark.parametrize("name", names())
def test_evaluation_reads_only_what_it_says(name):
    system, batch = made(name, {})
    allowed = {key: getattr(batch, key) for key in system.needs_test}
    bare = type(batch)(**allowed, ids=batch.ids)
    system.eval()
    with torch.no_grad():
        alone, full = system(bare), system(batch)
    assert torch.equal(alone.logits, full.logits)
    assert alone.features.shape[0] == 4
    assert all(key in MAPS or key.startswith(("segments/", "teacher/")) for key in alone.maps)
    loss = system.loss(
        alone, batch.replace(**{key: None for key in ("pose", "flow", "rendered") if key not in allowed})
    )
    assert torch.isfinite(loss["total"])


def _rows(value, order: torch.Tensor):
    if isinstance(value, dict):
        return {key: _segment_rows(each, key, order) for key, each in value.items()}
    return value[order]


def _segment_rows(value, key, order: torch.Tensor):
    """Features by name, [B,...]; or the segments of all clips, [BG,...] in each field of a batch."""
    if isinstance(value, torch.Tensor):
        return value[order]
    fields = {name: getattr(value, name) for name in TENSORS if getattr(value, name) is not None}
    return value.replace(**{name: each.unflatten(0, (-1, key))[order].flatten(0, 1) for name, each in fields.items()})


@pytest.mark.parametrize("name", names())
def test_the_order_of_a_batch_is_the_order_of_its_outputs(name):
    system, batch = made(name, {})
    order = torch.tensor([2, 0, 3, 1])
    fields = {key: _rows(getattr(batch, key), order) for key in system.needs_test}
    system.eval()
    with torch.no_grad():
        straight, turned = system(batch).logits, system(batch.replace(**fields, label=batch.label[order])).logits
    assert torch.allclose(straight[order], turned, atol=1e-4)


@pytest.mark.parametrize("name", names())
def test_what_is_missing_is_named(name):
    # A VPN whose poses were trained first classifies poses without video by those alone.
    system, batch = made(name, {"pose_first": False} if name == "vpn" else {})
    system.eval()
    for field in system.needs_test:
        missing = batch.replace(**{field: None})
        if field != "segments" and missing.segments is not None:
            cut = {g: part.replace(**{field: None}) for g, part in missing.segments.items()}
            missing = missing.replace(segments=cut)
        with pytest.raises(ValueError, match=f"reads batch.{field}, which this batch doesn't have"):
            system(missing)
