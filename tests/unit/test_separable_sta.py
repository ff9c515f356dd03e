"""Separable STA, thesis 4.4, equation by equation, against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import fields
from math import log

import pytest
import torch
import torch.nn.functional as F

from workbench.nets import uniform_attention
from workbench.study.train.optim import freeze, train_mode
from workbench.systems import build, variants
from workbench.systems.thesis.separable_sta import WEIGHTS
from workbench.types import Batch

SIZES = {"clip": (8, 32, 32), "width": 0.125, "output_stride": (4, 16, 16), "poses": 6}  # t_c = m = n = 2
IN_TURN = ["spatial_then_temporal", "temporal_then_spatial"]


def sta(attention: str = "separable", seed: int = 0, **options):
    torch.manual_seed(seed)
    return build(
        "separable_sta", 5, **SIZES, attention=attention, **{"lstm_hidden": 8, "attention_hidden": 4, **options}
    )


def batch(count: int = 4, side: int = 32, frames: int = 8, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return Batch(
        video=torch.rand(count, 3, frames, side, side, generator=generator) * 2 - 1,
        pose=torch.randn(count, 1, 6, 25, 3, generator=generator),
        label=torch.arange(count) % 5,
    )


def awake(system):
    """Attention scores begin equal, and an untrained backbone's features next to zero; this gives both something to
    say."""
    torch.manual_seed(1)
    for scores in system.attention.values() if system.weights else ():
        torch.nn.init.normal_(scores.score.weight, std=10.0)
    for module in system.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.momentum = 1.0
    with torch.no_grad():
        features = system(batch(seed=1)).maps["feature_map"]
    assert features.abs().mean() > 0.03
    return system


def set_scores(system, **scores):
    """The same scores for every clip."""
    for name, values in scores.items():
        system.attention[name].score.bias.data = torch.tensor(values)


# Attention, eq. 4.10 and 4.11


@pytest.mark.parametrize("attention", list(WEIGHTS))
def test_attention_begins_equal(attention):
    maps = sta(attention)(batch()).maps
    equal = {"spatial": 0.5, "temporal": 0.5, "attention": 0.5 if attention == "joint" else 0.25}
    shown = {name: equal[name] for name in maps if name in equal}
    assert set(shown) == set(WEIGHTS[attention]) | ({"attention"} if attention in IN_TURN else set())
    assert all(maps[name].eq(value).all() for name, value in shown.items())


def test_weights_are_a_sigmoid_and_a_softmax_by_hand():
    system = sta()
    set_scores(system, spatial=[0.0, log(3), -log(3), log(9)], temporal=[0.0, log(4)])
    maps = system(batch()).maps
    torch.testing.assert_close(maps["spatial"][2], torch.tensor([[0.5, 0.75], [0.25, 0.9]]))
    torch.testing.assert_close(maps["temporal"][2], torch.tensor([0.2, 0.8]))
    system = sta("joint")
    set_scores(system, attention=[0.0, log(3), -log(3), log(9), log(3), 0.0, 0.0, -log(9)])
    expected = torch.tensor([[[0.5, 0.75], [0.25, 0.9]], [[0.75, 0.5], [0.5, 0.1]]])
    torch.testing.assert_close(system(batch()).maps["attention"][1], expected)


def test_a_longer_clip_has_equal_moments():
    torch.manual_seed(0)
    system = build("separable_sta", 5, **{**SIZES, "clip": (20, 48, 32)}, lstm_hidden=8)
    data = Batch(video=torch.randn(2, 3, 20, 48, 32), pose=torch.randn(2, 1, 6, 25, 3))
    maps = system(data).maps
    torch.testing.assert_close(maps["temporal"], torch.full((2, 5), 0.2))
    assert maps["spatial"].shape == (2, 3, 2)


@pytest.mark.parametrize("attention", ["separable", "joint"])
def test_scores_read_the_states_of_all_steps(attention):
    system, data = awake(sta(attention)).eval(), batch()
    states, maps = system.pose.pose_backbone(data.pose).reshape(4, 48), system(data).maps
    for name in WEIGHTS[attention]:
        hidden, score = system.attention[name].hidden, system.attention[name].score
        s = torch.tanh(states @ hidden.weight.T + hidden.bias) @ score.weight.T + score.bias
        expected = s.exp() / s.exp().sum(1, keepdim=True) if name == "temporal" else s.exp() / (s.exp() + 1)
        torch.testing.assert_close(maps[name].flatten(1), expected)
        assert maps[name].std(0).max() > 0.01


def test_what_clips_have_in_common_does_not_saturate_the_attention():
    """The states of an LSTM hardly differ from clip to clip. Adam moves every weight by its rate, however small the
    gradient, so that after ten steps the sum over what is common saturates the tanh."""
    for normalize, varies in ((True, True), (False, False)):
        system, data = sta(lstm_hidden=64, normalize_pose=normalize), batch(count=8)
        h = 2 + 0.05 * torch.randn(8, system.pose.features, generator=torch.Generator().manual_seed(0))
        system.pose.read = lambda batch, h=h: (h, torch.zeros(8, 6, 5))
        optimizer = torch.optim.Adam(system.attention.parameters(), lr=0.01)
        for _ in range(10):
            optimizer.zero_grad()
            system.loss(system(data), data)["classification"].backward()
            optimizer.step()
        hidden = torch.tanh(system.attention["spatial"].hidden(system.norm(h)))
        assert (hidden.std(0).median() > 0.1) == varies


# Modulation, eq. 4.12, and the classifier

G = torch.arange(1.0, 9.0).view(1, 1, 2, 2, 2)
ALPHA, BETA = torch.tensor([[[0.5, 1.0], [0.0, 0.2]]]), torch.tensor([[0.25, 0.75]])


def test_branches_by_hand():
    modulated = sta().modulate(G, {"spatial": ALPHA, "temporal": BETA})
    torch.testing.assert_close(modulated[0, 0].flatten(), torch.tensor([0.5, 2, 0, 0.8, 2.5, 6, 0, 1.6]))
    torch.testing.assert_close(modulated[0, 1].flatten(), torch.tensor([0.25, 0.5, 0.75, 1, 3.75, 4.5, 5.25, 6]))


def test_one_attention_by_hand():
    spatial, temporal = sta("spatial").modulate(G, {"spatial": ALPHA}), sta("temporal").modulate(G, {"temporal": BETA})
    both = sta().modulate(G, {"spatial": ALPHA, "temporal": BETA})
    assert torch.equal(spatial[0, 0], both[0, 0]) and torch.equal(temporal[0, 0], both[0, 1])
    joint = sta("joint").modulate(G, {"attention": torch.arange(8.0).view(1, 2, 2, 2)})
    assert joint.flatten().tolist() == [0, 2, 6, 12, 20, 30, 42, 56]


@pytest.mark.parametrize("attention", IN_TURN)
def test_one_attention_after_the_other_by_hand(attention):
    weights = {"spatial": ALPHA, "temporal": BETA}
    modulated = sta(attention).modulate(G, {name: weights[name] for name in WEIGHTS[attention]})
    product = torch.tensor([0.125, 0.25, 0, 0.05, 0.375, 0.75, 0, 0.15])
    torch.testing.assert_close(modulated.flatten(), torch.arange(1.0, 9.0) * product)
    system = awake(sta(attention))
    maps = system(batch()).maps
    expected = maps["spatial"][:, None] * maps["temporal"][:, :, None, None]
    torch.testing.assert_close(maps["attention"], expected)


@pytest.mark.parametrize("attention", list(WEIGHTS))
def test_forward_classifies_the_pooled_modulated_map(attention):
    system, data = awake(sta(attention)).eval(), batch()
    output = system(data)
    g = system.backbone(data.video)
    pooled = {
        "spatial": lambda g: (output.maps["spatial"][:, None, None] * g).mean((2, 3, 4)),
        "temporal": lambda g: (output.maps["temporal"][:, None, :, None, None] * g).mean((2, 3, 4)),
        "none": lambda g: g.mean((2, 3, 4)),
        "separable": lambda g: torch.cat([pooled["spatial"](g), pooled["temporal"](g)], dim=1),
    }
    whole = pooled.get(attention, lambda g: (output.maps["attention"][:, None] * g).mean((2, 3, 4)))
    torch.testing.assert_close(output.features, whole(g))
    torch.testing.assert_close(output.logits, system.classifier(output.features))
    torch.testing.assert_close(output.maps["feature_map"], g)
    if attention != "none":
        torch.testing.assert_close(output.maps["modulated"].mean((2, 3, 4)), output.features)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("residual", torch.arange(1.0, 9.0) * torch.tensor([1.125, 1.25, 1, 1.05, 1.375, 1.75, 1, 1.15])),
        ("mean", torch.arange(1.0, 9.0) * torch.tensor([0.125, 0.25, 0, 0.05, 0.375, 0.75, 0, 0.15]) / 0.2125),
    ],
)
def test_other_readings_of_attentions_in_turn_by_hand(how, expected):
    weights = {"spatial": ALPHA, "temporal": BETA}
    modulated = sta("spatial_then_temporal", modulation=how).modulate(G, weights)
    torch.testing.assert_close(modulated.flatten(), expected)


def test_other_readings_of_the_branches_by_hand():
    weights, g = {"spatial": ALPHA, "temporal": BETA}, torch.arange(1.0, 9.0)
    where, when = torch.tensor([0.5, 1, 0, 0.2, 0.5, 1, 0, 0.2]), torch.tensor([0.25] * 4 + [0.75] * 4)
    residual = sta(modulation="residual").modulate(G, weights)
    torch.testing.assert_close(residual.flatten(), torch.cat([g * (1 + where), g * (1 + when)]))
    both = sta(modulation="both").modulate(G, weights)
    torch.testing.assert_close(both.flatten(), torch.cat([g * where / 0.425, g, g * when / 0.5, g]))


@pytest.mark.parametrize("how", ["residual", "gated", "mean", "both"])
@pytest.mark.parametrize("attention", list(WEIGHTS))
def test_each_reading_classifies_what_it_pools(attention, how):
    system, data = awake(sta(attention, modulation=how)), batch()
    output = system(data)
    assert output.features.shape[1] == system.classifier.in_features
    system.loss(output, data)["total"].backward()
    if system.weights:
        torch.testing.assert_close(output.features, output.maps["modulated"].mean((2, 3, 4)))
        assert all(p.grad.any() for p in system.attention.parameters())
    if system.in_turn:
        assert output.aux["first_logits"].shape == output.logits.shape


@pytest.mark.parametrize("attention", [name for name in WEIGHTS if name != "none"])
def test_mean_and_both_start_where_the_backbone_stage_ended(attention):
    for how in ("mean", "both"):
        output = sta(attention, modulation=how).eval()(batch())
        torch.testing.assert_close(output.logits, output.aux["backbone_logits"])


@pytest.mark.parametrize("attention", [name for name in WEIGHTS if name != "none"])
def test_under_uniform_attention_poses_say_nothing(attention):
    system, data = awake(sta(attention, modulation="mean")).eval(), batch()
    other = data.replace(pose=data.pose.flip(0))
    assert (system(other).logits - system(data).logits).abs().max() > 1e-4
    with uniform_attention(system) as points:
        torch.testing.assert_close(system(other).logits, system(data).logits)
    assert points == len(WEIGHTS[attention])


# The ceiling


@pytest.mark.parametrize("attention", [name for name in WEIGHTS if name != "none"])
def test_the_truth_stands_in_for_attention(attention):
    known = torch.zeros(4, 8, 32, 32)
    known[0, :4, :16, :16], known[0, 6:, :16] = 1, 1  # cells 1 0 0 0, then 0.5 0.5 0 0
    data = batch().replace(pose=None, truth=known)
    system = sta(attention, guide="truth")
    maps = system(data).maps
    expected = {
        "spatial": torch.tensor([[1.0, 1 / 3], [0, 0]]),
        "temporal": torch.tensor([0.5, 0.5]),
        "attention": torch.tensor([[[1.0, 0], [0, 0]], [[0.5, 0.5], [0, 0]]]),
    }
    for name in WEIGHTS[attention]:
        torch.testing.assert_close(maps[name][0], expected[name])
    assert system.needs_test == {"video", "truth"} and system.needs_train == {"video", "truth", "label"}
    assert {name for name, _ in system.named_children()} == {"backbone", "points", "dropout", "classifier"}
    assert [(stage.name, stage.epochs) for stage in system.stages()] == [("backbone", 30), ("joint", 30)]
    assert set(system.loss(system(data), data)) == {"total", "classification"}


def test_without_attention_it_is_the_backbone():
    torch.manual_seed(0)
    rgb, system, data = build("rgb", 5, **SIZES).eval(), sta("none", seed=1).eval(), batch()
    system.load_state_dict(rgb.state_dict())
    assert torch.equal(system(data).logits, rgb(data).logits)


# Loss, eq. 4.13, and algorithm 2


def test_equal_weights_cost_what_they_do_by_hand():
    terms = {name: sta(name).loss(sta(name)(batch()), batch()) for name in ("separable", "joint")}
    assert terms["separable"]["spatial"].item() == 4 * 0.5
    assert terms["separable"]["temporal"].item() == 2 * 0.5**2
    assert terms["joint"]["attention"].item() == 8 * 0.5


@pytest.mark.parametrize("attention", list(WEIGHTS))
def test_loss_is_equation_4_13(attention):
    system, data = awake(sta(attention, lambda1=0.1, lambda2=0.01)).eval(), batch()
    output = system(data)
    terms, total = system.loss(output, data), F.cross_entropy(output.logits, data.label)
    torch.testing.assert_close(terms["classification"], total)
    learned = WEIGHTS[attention]
    for name in set(learned) - {"temporal"}:
        total = total + 0.1 * output.maps[name].flatten(1).sum(1).mean()
    if "temporal" in learned:
        total = total + 0.01 * (1 - output.maps["temporal"]).square().sum(1).mean()
    torch.testing.assert_close(terms["total"], total)
    assert set(terms) == {"total", "classification", *learned}


@pytest.mark.parametrize("attention", [name for name in WEIGHTS if name != "none"])
def test_backbone_stage_leaves_attention_out(attention):
    system, data = awake(sta(attention)).eval(), batch()
    features = system.backbone(data.video).mean((2, 3, 4))
    logits = system.classifier(torch.cat([features, features], dim=1) if attention == "separable" else features)
    total = system.backbone_loss(system(data), data)["total"]
    torch.testing.assert_close(total, F.cross_entropy(logits, data.label))


@pytest.mark.parametrize("attention", IN_TURN)
def test_the_first_attention_begins_alone(attention):
    first, second = WEIGHTS[attention]
    system, data = awake(sta(attention, lambda1=0.1, lambda2=0.01)).eval(), batch()
    alone = sta(first, seed=1, lambda1=0.1, lambda2=0.01).eval()
    alone.load_state_dict({name: value for name, value in system.state_dict().items() if f".{second}." not in name})
    expected = alone.loss(alone(data), data)
    terms = system.first_loss(system(data), data)
    assert set(terms) == {"total", "classification", first}
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value)


def test_the_thesis_numbers_are_the_default():
    chosen = {field.name: field.default for field in fields(type(sta().options))}
    assert chosen["attention"] == "separable" and set(variants("separable_sta")["attention"].valid) == set(WEIGHTS)
    assert (chosen["lambda1"], chosen["lambda2"], chosen["dropout"], chosen["lstm_hidden"]) == (1e-5, 1e-5, 0.3, 512)


def test_stages_are_algorithm_2():
    def told(attention):
        return [(stage.name, stage.epochs) for stage in sta(attention).stages()]

    assert told("none") == [("backbone", 30)]
    before = [("backbone", 30), ("pose/pose", 30)]
    for attention in ("spatial", "temporal", "joint", "separable"):
        assert told(attention) == [*before, ("joint", 30)]
    spatial, temporal = ("attention.spatial/joint", 10), ("attention.temporal/joint", 10)
    assert told("spatial_then_temporal") == [*before, spatial, temporal, ("joint", 10)]
    assert told("temporal_then_spatial") == [*before, temporal, spatial, ("joint", 10)]
    _, pose, joint = sta().stages()
    assert pose.part == "pose" and (joint.optimizer, joint.freezes) == (
        {"name": "adam", "lr": 0.01},
        ("pose.classifier",),
    )


@pytest.mark.parametrize("attention", list(WEIGHTS))
def test_each_stage_trains_what_it_names(attention):
    system, data = awake(sta(attention)), batch()
    reached: set[str] = set()
    for stage in system.stages():
        freeze(system, stage)
        train_mode(system)
        trained = {name for name, p in system.named_parameters() if p.requires_grad}
        for module in {system, system.get_submodule(stage.part)}:
            system.zero_grad(set_to_none=True)
            getattr(module, stage.loss)(module(data), data)["total"].backward()
            grads = {name: p.grad for name, p in system.named_parameters() if p.grad is not None}
            assert {name for name, grad in grads.items() if grad.any()} == trained, stage.name
            assert all(grad.isfinite().all() for grad in grads.values())
        reached |= trained
    assert reached == {name for name, _ in system.named_parameters()}


def test_the_second_attention_finds_the_first_fixed():
    system, data = awake(sta("spatial_then_temporal", dropout=0.0)), batch()
    _, _, _, second, _ = system.stages()
    freeze(system, second)
    train_mode(system)
    before = system(data).maps
    optimizer = torch.optim.SGD([p for p in system.parameters() if p.requires_grad], lr=0.1)
    system.loss(system(data), data)["total"].backward()
    optimizer.step()
    after = system(data).maps
    assert torch.equal(after["spatial"], before["spatial"]) and not torch.equal(after["temporal"], before["temporal"])


def test_separable_sta_learns_four_clips_by_heart():
    system, data = sta(dropout=0.0), batch()
    optimizer = torch.optim.Adam(system.parameters(), lr=3e-3)
    for _ in range(20):
        optimizer.zero_grad()
        system.loss(system(data), data)["total"].backward()
        optimizer.step()
    assert system.loss(system(data), data)["classification"] < 0.1


# Inference


@pytest.mark.parametrize("attention", ["separable", "joint", "spatial_then_temporal"])
def test_another_picture_size_stretches_the_attention(attention):
    system, data = awake(sta(attention)).eval(), batch()
    small, data = system(data), data.replace(video=batch(side=64).video)
    output = system(data)
    name = "attention" if attention == "joint" else "spatial"
    assert output.maps["modulated"].shape[3:] == output.maps[name].shape[-2:] == (4, 4)
    for t in range(2 if attention == "joint" else 1):  # the poses, and with them the weights, are the same
        ours, theirs = (maps[name] if name == "spatial" else maps[name][:, t] for maps in (output.maps, small.maps))
        torch.testing.assert_close(ours, F.interpolate(theirs[:, None], (4, 4), mode="bilinear")[:, 0])
    terms, before = system.loss(output, data), system.loss(small, data)
    torch.testing.assert_close(terms[name], before[name])  # what is regularised are the weights as they are learned


def test_a_clip_of_another_length_needs_weights_without_moments():
    for attention in ("none", "spatial"):
        assert sta(attention).eval()(batch(frames=16)).maps["feature_map"].shape[2] == 4
    for attention in ("temporal", "joint", *IN_TURN, "separable"):
        with pytest.raises(ValueError, match="16 frames give 4 time steps, this Separable STA was built for 2"):
            sta(attention)(batch(frames=16))


@pytest.mark.parametrize("attention", ["separable", "joint"])
def test_clips_do_not_mind_their_neighbours(attention):
    system, data, order = awake(sta(attention)).eval(), batch(), [3, 1, 0, 2]
    ours, theirs = system(data), system(Batch(video=data.video[order], pose=data.pose[order]))
    torch.testing.assert_close(theirs.logits, ours.logits[order])
    for name in WEIGHTS[attention]:
        torch.testing.assert_close(theirs.maps[name], ours.maps[name][order])


def test_bf16_stays_close_and_attention_stays_exact():
    system, data = awake(sta()).eval(), batch()
    with torch.no_grad():
        exact = system(data)
        with torch.autocast("cpu", torch.bfloat16):
            rough = system(data)
    assert rough.logits.dtype == torch.float32
    for name in ("spatial", "temporal"):
        torch.testing.assert_close(rough.maps[name], exact.maps[name])
    assert F.cosine_similarity(rough.features, exact.features).min() > 0.95


@pytest.mark.parametrize("attention", list(WEIGHTS))
def test_needs_are_what_is_read(attention):
    system, data = sta(attention).eval(), batch()
    needs = {"video"} if attention == "none" else {"video", "pose"}
    assert system.needs_test == needs and system.needs_train == needs | {"label"}
    bare = Batch(**{field: getattr(data, field) for field in needs})
    system.loss(system(bare), bare.replace(label=data.label))
    for field in needs:
        with pytest.raises(ValueError, match=f"reads batch.{field}, which this batch doesn't have"):
            system(bare.replace(**{field: None}))


# What is not valid


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"attention": "both"}, "attention must be one of 'separable', 'none', .*'joint', got 'both'"),
        (
            {"attention": "none", "guide": "truth"},
            "guide='truth' needs an attention to stand in for, got attention='no",
        ),
        ({"lambda2": -1.0}, "lambda2 must be a number >= 0, got -1.0"),
        ({"lstm_hidden": 0}, "lstm_hidden must be a whole number >= 1, got 0"),
    ],
)
def test_build_refuses_by_name(call, message):
    with pytest.raises(ValueError, match=f"separable_sta: {message}") as error:
        sta(**call)
    assert "\n" not in str(error.value)


def test_another_number_of_poses_is_refused():
    data = batch()
    with pytest.raises(ValueError, match="batch.pose has 4 poses a clip, this system was built for 6"):
        sta()(data.replace(pose=data.pose[:, :, :4]))
