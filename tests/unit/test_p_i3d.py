"""P-I3D, thesis 4.3, equation by equation, against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import fields
from math import log

import pytest
import torch
import torch.nn.functional as F

from workbench import losses
from workbench.nets import I3D
from workbench.nets.attention import uniform_attention
from workbench.study.train.optim import freeze, train_mode
from workbench.systems import build, variants
from workbench.types import Batch

SIZES = {"clip": (8, 32, 32), "width": 0.125, "output_stride": (4, 16, 16), "poses": 6}
HANDS = ("left_hand", "right_hand", "full_body")
VARIANTS = [
    {},
    {"regions": ("full_body", "upper_body"), "aggregate": "concat"},
    {"regions": ("full_body", "left_hand"), "at": 9, "weight_penalty": "squared"},
    {"regions": ("full_frame",), "attention": False, "at": 2},
    {"modulation": "both", "normalize_pose": True},
    {"modulation": "residual", "at": 1},
    {"guide": "truth", "modulation": "mean"},
]


def p_i3d(seed: int = 0, **options):
    torch.manual_seed(seed)
    return build("p_i3d", 5, **SIZES, **{"lstm_hidden": 8, "attention_hidden": 4, **options})


def batch(count: int = 4, parts: int = 3, side: int = 32, frames: int = 8, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return Batch(
        parts=torch.rand(count, parts, 3, frames, side, side, generator=generator) * 2 - 1,
        pose=torch.randn(count, 1, 6, 25, 3, generator=generator),
        part_truth=torch.rand(count, parts, generator=generator),
        label=torch.arange(count) % 5,
    )


def awake(system):
    """Part weights begin equal, and an untrained backbone's features next to zero; this gives both something to say."""
    torch.manual_seed(1)
    if system.learns:
        torch.nn.init.normal_(system.attention.score.weight, std=10.0)
    for module in system.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.momentum = 1.0
    with torch.no_grad():
        features = system(batch(parts=len(system.parts), seed=1)).features
    assert features.abs().mean() > 0.03
    return system


# An I3D in two


@pytest.mark.parametrize("blocks", range(10))
def test_halves_of_an_i3d_are_the_whole(blocks):
    torch.manual_seed(0)
    network, video = I3D(5, width=0.125).eval(), torch.randn(1, 3, 8, 33, 32)
    trunk, tail = network.halves(blocks)
    assert sum(name.startswith("Mixed") for name, _ in tail.named_children()) == blocks
    assert {id(p) for p in [*trunk.parameters(), *tail.parameters()]} < {id(p) for p in network.parameters()}
    with torch.no_grad():
        assert torch.equal(tail(trunk(video)), network(video))


def test_halves_are_cut_in_front_of_a_block():
    trunk, tail = I3D(width=0.125).halves(2)
    assert list(dict(tail.named_children())) == ["Mixed_5b", "Mixed_5c"]
    assert [name for name, _ in trunk.named_children()][-1] == "MaxPool3d_5a_2x2"
    for blocks in (-1, 10):
        with pytest.raises(ValueError, match=f"0 to 9 inception blocks behind a cut, not {blocks}"):
            I3D(width=0.125).halves(blocks)


@pytest.mark.parametrize("options", [{"backbone": "r3d50g"}, {"backbone": "i3d_nonlocal", "at": 1}], ids=str)
def test_other_backbones(options):
    system, data = p_i3d(regions=HANDS[:2], **options).eval(), batch(count=2, parts=2)
    alone = sum(part.part_loss(part(data), data)["total"] for part in system.parts.values())
    torch.testing.assert_close(system.part_loss(system(data), data)["total"], alone)
    with pytest.raises(ValueError, match="p_i3d: at=1 needs the inception blocks of i3d, got 'r3d50g'"):
        p_i3d(backbone="r3d50g", at=1)


# Attention, eq. 4.5 and 4.6; aggregation, eq. 4.7


def test_part_weights_begin_equal():
    assert torch.equal(p_i3d()(batch()).maps["parts"], torch.full((4, 3), 1 / 3))
    assert p_i3d(regions=("left_hand", "full_body"))(batch(parts=2)).maps["parts"].eq(0.5).all()


def test_part_weights_are_a_softmax_by_hand():
    system = p_i3d().eval()
    system.attention.score.bias.data = torch.tensor([0.0, log(2), log(5)])
    output = system(batch())
    torch.testing.assert_close(output.maps["parts"], torch.tensor([[1 / 8, 2 / 8, 5 / 8]]).expand(4, 3))
    left, right, body = output.aux["g"].unbind(1)
    torch.testing.assert_close(output.maps["modulated"], left / 8 + right / 4 + body * 5 / 8)


@pytest.mark.parametrize(
    ("modulation", "expected"),
    [
        ("gated", [1 / 8 + 2 / 4 + 3 * 5 / 8]),
        ("residual", [6 + 1 / 8 + 2 / 4 + 3 * 5 / 8]),
        ("mean", [3 * (1 / 8 + 2 / 4 + 3 * 5 / 8)]),
        ("both", [3 * (1 / 8 + 2 / 4 + 3 * 5 / 8), 6]),
    ],
)
def test_readings_of_the_product_by_hand(modulation, expected):
    """Parts of 1, 2 and 3 in all cells, with the weights 1/8, 2/8 and 5/8."""
    system, g = p_i3d(modulation=modulation), torch.tensor([1.0, 2, 3]).view(1, 3, 1, 1, 1, 1).expand(1, 3, 1, 2, 1, 4)
    found = system.aggregate(system.modulate(g, torch.tensor([[1 / 8, 2 / 8, 5 / 8]])))
    assert found.shape == (1, len(expected), 2, 1, 4)
    torch.testing.assert_close(found[0, :, 1, 0, 3], torch.tensor(expected))


@pytest.mark.parametrize("aggregate", ["sum", "concat"])
def test_equal_weights_of_mean_one_are_no_attention(aggregate):
    system, plain = (
        p_i3d(modulation="mean", aggregate=aggregate).eval(),
        p_i3d(attention=False, aggregate=aggregate).eval(),
    )
    plain.load_state_dict(system.state_dict(), strict=False)
    torch.testing.assert_close(system(batch()).logits, plain(batch()).logits)


@pytest.mark.parametrize("modulation", ["gated", "residual", "mean", "both"])
def test_uniform_attention_is_what_it_is_with_equal_weights(modulation):
    system, data = awake(p_i3d(modulation=modulation)).eval(), batch()
    awoken = system(data)
    with uniform_attention(system) as points:
        uniform = system(data)
    assert points == 1 and not torch.allclose(uniform.logits, awoken.logits)
    torch.nn.init.zeros_(system.attention.score.weight)
    torch.testing.assert_close(system(data).logits, uniform.logits)


def test_both_needs_the_end_of_the_network():
    with pytest.raises(ValueError, match="p_i3d: modulation='both' needs at=0, as it doubles the channels, got at=2"):
        p_i3d(modulation="both", at=2)


def test_the_truth_of_parts_in_the_place_of_their_weights():
    system, data = p_i3d(guide="truth").eval(), batch()
    assert system.needs_test == {"parts", "part_truth"} and not hasattr(system, "pose")
    share = torch.tensor([[0.0, 1, 1], [1, 0, 0], [0, 0, 0], [0.2, 0.3, 0.5]])
    weights = system(data.replace(part_truth=share, pose=None)).maps["parts"]
    expected = torch.tensor([[0, 1 / 2, 1 / 2], [1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.2, 0.3, 0.5]])
    torch.testing.assert_close(weights, expected, atol=1e-5, rtol=1e-5)
    assert set(system.loss(system(data), data)) == {"total", "classification", "weights"}
    assert [stage.name for stage in system.stages()][-2:] == ["parts.full_body/backbone", "joint"]


def test_a_normalised_pose_keeps_the_tanh_alive():
    """h* of clips that have most in common: what differs between them is what is left."""
    torch.manual_seed(0)
    common, own = 3 + torch.randn(1, 48), 0.1 * torch.randn(16, 48)
    spread = []
    for normalize in (False, True):
        system = p_i3d(normalize_pose=normalize)
        torch.nn.init.normal_(system.attention.hidden.weight, std=0.3)
        spread.append(torch.tanh(system.attention.hidden(system.norm(common + own))).std(0).mean())
    assert spread[0] < 0.2 < 0.4 < spread[1]


def test_scores_read_the_states_of_all_steps():
    system, data = awake(p_i3d()).eval(), batch()
    states = system.pose.pose_backbone(data.pose)  # [B,t_p,hidden]
    hidden, score = system.attention.hidden, system.attention.score
    s = torch.tanh(states.reshape(4, 48) @ hidden.weight.T + hidden.bias) @ score.weight.T + score.bias
    torch.testing.assert_close(system(data).maps["parts"], s.exp() / s.exp().sum(1, keepdim=True))
    assert system(data).maps["parts"].std(0).max() > 0.01


def test_aggregation_by_hand():
    g = torch.tensor([1.0, 2, 3, 4, 5, 6]).view(1, 3, 2, 1, 1, 1)  # three parts of two channels
    assert p_i3d().aggregate(g).flatten().tolist() == [9, 12]
    assert p_i3d(aggregate="concat").aggregate(g).flatten().tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("aggregate", ["sum", "concat"])
def test_equal_weights_are_a_third_of_no_attention(aggregate):
    system, plain = p_i3d(aggregate=aggregate).eval(), p_i3d(aggregate=aggregate, attention=False, seed=1).eval()
    plain.load_state_dict(system.state_dict(), strict=False)
    data = batch()
    ours, theirs = system(data), plain(data.replace(pose=None))
    assert set(theirs.maps) == {"feature_map"}
    torch.testing.assert_close(ours.maps["feature_map"], theirs.maps["feature_map"])
    torch.testing.assert_close(ours.maps["modulated"], theirs.maps["feature_map"] / 3)
    torch.testing.assert_close(ours.features, theirs.features / 3)


@pytest.mark.parametrize("options", [{}, {"aggregate": "concat"}, {"at": 2}], ids=str)
def test_forward_classifies_the_pooled_aggregate(options):
    system, data = awake(p_i3d(**options)).eval(), batch()
    output = system(data)
    g = []
    for k, name in enumerate(HANDS):
        backbone = system.parts[name].backbone
        g.append((backbone.halves(2)[0] if options.get("at") else backbone)(data.parts[:, k]))
    weighted = [weight[:, None, None, None, None] * f for weight, f in zip(output.maps["parts"].T, g, strict=True)]
    aggregate = torch.cat(weighted, dim=1) if options.get("aggregate") else sum(weighted)
    torch.testing.assert_close(output.maps["modulated"], aggregate)
    if options.get("at"):
        aggregate = system.tail.Mixed_5c(system.tail.Mixed_5b(aggregate))
    torch.testing.assert_close(output.features, aggregate.mean((2, 3, 4)))
    torch.testing.assert_close(output.logits, system.classifier(output.features))


@pytest.mark.parametrize("at", [1, 2, 5, 9])
def test_where_the_parts_agree_it_does_not_matter_where_they_are_aggregated(at):
    late = awake(p_i3d())
    for name in HANDS[1:]:
        late.parts[name].load_state_dict(late.parts[HANDS[0]].state_dict())
    early = p_i3d(at=at, seed=1)
    early.load_state_dict(late.state_dict(), strict=False)
    early.tail.load_state_dict(late.parts[HANDS[0]].backbone.halves(at)[1].state_dict())
    data = batch()
    data = data.replace(parts=data.parts[:, :1].expand(-1, 3, -1, -1, -1, -1))
    torch.testing.assert_close(early.eval()(data).logits, late.eval()(data).logits, atol=1e-4, rtol=1e-3)
    data = batch()
    assert not torch.allclose(early(data).features, late(data).features, rtol=0.05)


@pytest.mark.parametrize("at", [0, 2])
def test_the_order_of_regions_does_not_matter(at):
    system, data, order = awake(p_i3d(at=at)).eval(), batch(), [2, 0, 1]
    other = p_i3d(at=at, regions=[HANDS[i] for i in order], seed=1).eval()
    state = system.state_dict()
    for name in ("attention.score.weight", "attention.score.bias"):
        state[name] = state[name][order]
    other.load_state_dict(state)
    ours, theirs = system(data), other(data.replace(parts=data.parts[:, order]))
    torch.testing.assert_close(theirs.logits, ours.logits)
    torch.testing.assert_close(theirs.maps["parts"], ours.maps["parts"][:, order])


# Loss, eq. 4.8, and algorithm 1


def test_regularisers_by_hand():
    assert losses.attention_balance(torch.full((2, 3), 1 / 3)).item() == pytest.approx(3 * (2 / 3) ** 2)
    rows = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.25, 0.25]])
    assert losses.attention_balance(rows).item() == pytest.approx((2 + 0.25 + 2 * 0.5625) / 2)
    weight = torch.tensor([[3.0, 0.0], [0.0, -4.0]])
    assert losses.weight_penalty(weight).item() == 5 and losses.weight_penalty(weight, squared=True).item() == 25


@pytest.mark.parametrize("squared", [False, True])
def test_loss_is_equation_4_8(squared):
    penalty = "squared" if squared else "norm"
    system, data = awake(p_i3d(lambda1=0.1, lambda2=0.01, weight_penalty=penalty)).eval(), batch()
    output = system(data)
    terms = system.loss(output, data)
    balance = (1 - output.maps["parts"]).square().sum(1).mean()
    norm = torch.linalg.vector_norm(system.classifier.weight) ** (2 if squared else 1)
    torch.testing.assert_close(terms["attention"], balance)
    torch.testing.assert_close(terms["weights"], norm)
    expected = F.cross_entropy(output.logits, data.label) + 0.1 * balance + 0.01 * norm
    torch.testing.assert_close(terms["total"], expected)


def test_loss_without_attention_penalises_the_last_layer_alone():
    system, data = p_i3d(attention=False).eval(), batch()
    terms = system.loss(system(data), data)
    assert set(terms) == {"total", "classification", "weights"}
    torch.testing.assert_close(terms["total"], terms["classification"] + 1e-3 * system.classifier.weight.norm())


def test_the_thesis_numbers_are_the_default():
    chosen = {field.name: field.default for field in fields(type(p_i3d().options))}
    assert chosen["regions"] == HANDS and (chosen["aggregate"], chosen["at"], chosen["attention"]) == ("sum", 0, True)
    assert (chosen["lambda1"], chosen["lambda2"], chosen["dropout"], chosen["lstm_hidden"]) == (1e-5, 1e-3, 0.3, 512)
    assert variants("p_i3d")["at"].valid == tuple(range(10)) and variants("p_i3d")["regions"].many


def test_stages_are_algorithm_1():
    stages = p_i3d().stages()
    assert [(stage.name, stage.part, stage.epochs) for stage in stages] == [
        *((f"parts.{name}/backbone", f"parts.{name}", 30) for name in HANDS),
        ("pose/pose", "pose", 30),
        ("attention/joint", "", 10),
        ("joint", "", 25),
    ]
    assert "pose" in stages[-1].freezes and "pose" not in stages[-2].freezes
    assert [stage.name for stage in p_i3d(attention=False).stages()][-2:] == ["parts.full_body/backbone", "joint"]


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_each_stage_trains_what_it_names(options):
    system = awake(p_i3d(**options))
    data, names = batch(parts=len(system.parts)), [name for name, _ in system.named_parameters()]
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
    assert reached == set(names)


@pytest.mark.parametrize("at", [0, 2])
def test_the_parts_share_one_loss_and_learn_alone(at):
    system, data = awake(p_i3d(at=at)).eval(), batch()
    alone = [part.part_loss(part(data), data)["total"] for part in system.parts.values()]
    torch.testing.assert_close(system.part_loss(system(data), data)["total"], sum(alone))
    k, part = 1, system.parts["right_hand"]
    features = part.backbone(data.parts[:, k]).mean((2, 3, 4))
    torch.testing.assert_close(alone[k], F.cross_entropy(part.classifier(features), data.label))


def test_pose_network_is_pose_lstm():
    torch.manual_seed(0)
    alone, system, data = build("pose_lstm", 5, hidden=8).eval(), p_i3d().eval(), batch()
    system.pose.load_state_dict(alone.state_dict())
    ours, theirs = system.pose_loss(system(data), data), alone.loss(alone(data), data)
    torch.testing.assert_close(ours["total"], theirs["total"])


def test_p_i3d_learns_four_clips_by_heart():
    system, data = p_i3d(dropout=0.0, regions=("left_hand", "full_body")), batch(parts=2)
    optimizer = torch.optim.Adam(system.parameters(), lr=3e-3)
    for _ in range(12):
        optimizer.zero_grad()
        system.loss(system(data), data)["total"].backward()
        optimizer.step()
    assert system.loss(system(data), data)["classification"] < 0.1


# Inference


def test_crops_of_another_size_and_length():
    system = awake(p_i3d(at=1)).eval()
    output = system(batch(side=64, frames=12))
    assert output.maps["modulated"].shape[2:] == (3, 4, 4) and output.logits.isfinite().all()


def test_clips_do_not_mind_their_neighbours():
    system, data, order = awake(p_i3d(at=2)).eval(), batch(), [3, 1, 0, 2]
    shuffled = Batch(parts=data.parts[order], pose=data.pose[order])
    ours, theirs = system(data), system(shuffled)
    torch.testing.assert_close(theirs.logits, ours.logits[order])
    torch.testing.assert_close(theirs.maps["parts"], ours.maps["parts"][order])


def test_bf16_stays_close_and_attention_stays_exact():
    system, data = awake(p_i3d(at=1)).eval(), batch()
    with torch.no_grad():
        exact = system(data)
        with torch.autocast("cpu", torch.bfloat16):
            rough = system(data)
    torch.testing.assert_close(rough.maps["parts"], exact.maps["parts"])
    assert rough.maps["modulated"].dtype == torch.float32
    assert F.cosine_similarity(rough.features, exact.features).min() > 0.95


def test_needs_are_what_is_read():
    data = batch()
    for options, needs in (({}, {"parts", "pose"}), ({"attention": False}, {"parts"})):
        system = p_i3d(**options).eval()
        assert system.needs_test == needs and system.needs_train == needs | {"label"}
        bare = Batch(**{field: getattr(data, field) for field in needs})
        system.loss(system(bare), bare.replace(label=data.label))
        for field in needs:
            with pytest.raises(ValueError, match=f"reads batch.{field}, which this batch doesn't have"):
                system(bare.replace(**{field: None}))
    part = p_i3d().parts["left_hand"]
    assert part.needs_test == {"parts"} and part.needs_train == {"parts", "label"}


# What is not valid


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"regions": ("left_foot",)}, "regions must be one of 'left_hand', .*'full_frame', got"),
        ({"regions": ()}, "regions must be a list of one or more values"),
        ({"regions": ("full_body", "full_body")}, "regions must differ from each other, got full_body, full_body"),
        ({"regions": ("full_body",)}, "attention=True needs two regions or more to weigh, got full_body alone"),
        ({"aggregate": "mean"}, "aggregate must be one of 'sum', 'concat', got 'mean'"),
        ({"aggregate": "concat", "at": 1}, "aggregate='concat' needs at=0, .*got at=1"),
        ({"at": 10}, "at must be one of 0, 1, .*9, got 10"),
        ({"lambda1": -1}, "lambda1 must be a number >= 0, got -1"),
    ],
)
def test_build_refuses_by_name(call, message):
    with pytest.raises(ValueError, match=f"p_i3d: {message}") as error:
        p_i3d(**call)
    assert "\n" not in str(error.value)


def test_batches_of_another_make_are_refused():
    system, data = p_i3d().eval(), batch()
    with pytest.raises(ValueError, match="has 2 parts a clip, expected left_hand, right_hand, full_body"):
        system(data.replace(parts=data.parts[:, :2]))
    with pytest.raises(ValueError, match="batch.pose has 4 poses a clip, this system was built for 6"):
        system(data.replace(pose=data.pose[:, :, :4]))
    with pytest.raises(ValueError, match=r"batch.parts is torch.uint8, .*call batch.to\(device\) first"):
        system(data.replace(parts=torch.zeros_like(data.parts, dtype=torch.uint8)))
