"""Temporal Model and Global Model, equation by equation, against numbers worked out by hand."""

from __future__ import annotations

from math import log

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.fixtures import fake_synthadl
from workbench.nets.attention import uniform_attention
from workbench.study import fit
from workbench.study.config import data_of
from workbench.study.config.train_config import parse
from workbench.study.runs import find_runs
from workbench.study.train import optim
from workbench.study.train.stage_data import Kept
from workbench.systems.common.building import Setting, assemble
from workbench.systems.thesis.global_model import GlobalModel
from workbench.systems.thesis.temporal_model import BASES, PoseNetworks, TemporalModel, thinned
from workbench.types import Batch, Output, Skeleton

SETTING = Setting(5, Skeleton.named("kinect_v2"), (8, 32, 32), 6, width=0.125, output_stride=(4, 16, 16))
SMALL = {"hidden": 16, "attention_hidden": 8, "lstm_hidden": 8}


def temporal(kind=TemporalModel, seed: int = 0, **options):
    torch.manual_seed(seed)
    return assemble(kind, SETTING, **SMALL, **options)


def clips(count: int, persons: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
    return {
        "video": torch.rand(count, 3, 8, 32, 32, generator=generator) * 2 - 1,
        "parts": torch.rand(count, 3, 3, 8, 32, 32, generator=generator) * 2 - 1,
        "pose": torch.randn(count, persons, 6, 25, 3, generator=generator),
    }


def batch(count: int = 4, persons: int = 1, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    whole = clips(count, persons, generator)
    segments = {g: Batch(**clips(count * g, persons, generator)) for g in (2, 3, 4, 5, 6)}
    return Batch(**whole, label=torch.arange(count) % 5, segments=segments)


def rows(data: Batch, chosen: list[int]) -> Batch:
    """The clips ``chosen`` of a batch, in that order, with their segments."""

    def pick(value, g=1):
        return None if value is None else value.unflatten(0, (-1, g))[chosen].flatten(0, 1)

    cut = {
        g: Batch(**{name: pick(getattr(part, name), g) for name in ("video", "parts", "pose")})
        for g, part in data.segments.items()
    }
    return Batch(**{name: pick(getattr(data, name)) for name in ("video", "parts", "pose", "label")}, segments=cut)


def unequal(system):
    """Attention scores begin equal, and an untrained backbone's features next to zero; this gives both something to
    say."""
    torch.manual_seed(1)
    for name, module in system.named_modules():
        if isinstance(module, nn.Linear) and "score" in name:
            nn.init.normal_(module.weight, std=0.3 if name.startswith("base.") else 3.0)
        if isinstance(module, nn.BatchNorm3d):
            module.momentum = 1.0
    with torch.no_grad():
        assert system.base(batch(seed=1)).features.abs().mean() > 0.1
    return system


class Says(nn.Module):
    """A network with one answer."""

    def __init__(self, answer) -> None:
        super().__init__()
        self.answer = torch.tensor(answer)[None]

    def forward(self, x):
        return self.answer


class Recurrent(Says):
    def forward(self, x):
        return self.answer, None


# Segments, 5.2.1


@pytest.mark.parametrize("base", BASES)
def test_a_segment_is_a_clip_of_its_own_to_the_base(base):
    system, data = unequal(temporal(base=base, granularities=(3,), segment_poses=4)).eval(), batch()
    features = system.encode(data)
    assert features["segments/3"].shape[:2] == (4, 3)
    for clip in range(4):
        for i in range(3):
            row, part = [3 * clip + i], data.segments[3]
            alone = Batch(video=part.video[row], parts=part.parts[row], pose=part.pose[row])
            torch.testing.assert_close(
                features["segments/3"][[clip], i], system.base(alone).features, atol=1e-4, rtol=1e-4
            )
            # The middle of each quarter of six poses.
            assert torch.equal(features["poses/3"][[clip], :, 4 * i : 4 * i + 4], part.pose[row][:, :, [0, 2, 3, 5]])


def test_poses_of_a_segment_by_hand():
    assert thinned(20, 5).tolist() == [2, 6, 10, 14, 18]
    assert thinned(4, 4).tolist() == [0, 1, 2, 3] and thinned(2, 5).tolist() == [0, 0, 1, 1, 1]


def test_segments_of_another_make_are_refused():
    system, data = temporal(granularities=(2, 7)), batch()
    with pytest.raises(ValueError, match="no segments of granularity 7; it has: 2, 3, 4, 5, 6"):
        system(data)
    with pytest.raises(ValueError, match="reads batch.segments, which this batch doesn't have"):
        system(data.replace(segments=None))


def test_the_base_has_the_options_that_its_own_run_has():
    system = temporal(base="p_i3d", modulation="both", normalize_pose=True, body="crop")
    own = system.base.options
    assert (own.modulation, own.normalize_pose, own.body, own.lstm_hidden) == ("both", True, "crop", 8)
    default = temporal(base="p_i3d").base.options
    assert (default.modulation, default.normalize_pose, default.body) == ("gated", False, "track")


def test_the_loader_is_told_what_to_cut():
    options = {"granularities": [2, 5], "segments": "looped", "body": "crop"}
    spec = data_of.clip_spec(parse({"system": "global_model", "options": options, "preset": {"crop": "track"}}))
    assert (spec.granularities, spec.segments, spec.body, spec.crop) == ((2, 5), "looped", "crop", "track")
    spec = data_of.clip_spec(parse({"system": "temporal_model"}))
    assert (spec.granularities, spec.segments, spec.body) == ((2, 3, 4), "resampled", "crop")
    assert data_of.clip_spec(parse({"system": "temporal_model", "preset": "paper"})).body == "track"
    assert data_of.clip_spec(parse({"system": "rgb"})).granularities == ()


# Attention, eq. 5.1 to 5.6


def by_hand(**options) -> tuple[TemporalModel, Output]:
    """U_2 = 1, 3 and U_3 = 2, 4, 6; R^p_2 = 0, 1 and R^p_3 = 0, 0, 1."""
    torch.manual_seed(0)
    numbers = {"hidden": 1, "attention_hidden": 1, "granularities": (2, 3), **options}
    system = assemble(TemporalModel, SETTING, **numbers).eval()
    system.recurrent = nn.ModuleDict({"2": Recurrent([[1.0], [3.0]]), "3": Recurrent([[2.0], [4.0], [6.0]])})
    if system.attends:
        system.pose_networks = nn.ModuleDict({"2": Says([[0.0], [1.0]]), "3": Says([[0.0], [0.0], [1.0]])})
    if system.options.segment_attention:
        system.segment_scores["2"].weight.data.fill_(log(3))
        system.segment_scores["3"].weight.data.fill_(log(2))
    if system.options.granularity_attention:
        system.granularity_scores.weight.data = torch.tensor([[log(2), log(2)], [0.0, 0.0]])
    return system, system.classify({f"{kind}/{g}": torch.zeros(1) for kind in ("segments", "poses") for g in (2, 3)})


def test_two_levels_of_attention_by_hand():
    system, output = by_hand()
    torch.testing.assert_close(output.maps["segments/2"], torch.tensor([[1 / 4, 3 / 4]]))
    torch.testing.assert_close(output.maps["segments/3"], torch.tensor([[1 / 4, 1 / 4, 1 / 2]]))
    torch.testing.assert_close(output.maps["granularities"], torch.tensor([[4 / 5, 1 / 5]]))
    # v_2 = 1/4 + 9/4 = 2.5, v_3 = 1/2 + 1 + 3 = 4.5
    torch.testing.assert_close(output.features, torch.tensor([[0.8 * 2.5 + 0.2 * 4.5]]))
    weight, bias = system.classifier.weight[:, 0], system.classifier.bias
    torch.testing.assert_close(output.logits[0], 2.9 * weight + bias)
    # Eq. 5.7 as it is printed weighs scores: those of v_2 and v_3 apart, by one classifier.
    torch.testing.assert_close(output.logits[0], 0.8 * (2.5 * weight + bias) + 0.2 * (4.5 * weight + bias))


@pytest.mark.parametrize(
    ("segment", "granularity", "expected"),
    [(False, False, 1 + 3 + 2 + 4 + 6), (True, False, 2.5 + 4.5), (False, True, 0.8 * 4 + 0.2 * 12)],
)
def test_an_attention_that_is_off_leaves_a_plain_sum(segment, granularity, expected):
    _, output = by_hand(segment_attention=segment, granularity_attention=granularity)
    torch.testing.assert_close(output.features, torch.tensor([[expected]], dtype=torch.float32))
    assert sorted(output.maps) == ["granularities"] * granularity + ["segments/2", "segments/3"] * segment


def test_attention_begins_equal():
    maps = temporal()(batch()).maps
    for g in (2, 3, 4):
        assert maps[f"segments/{g}"].shape == (4, g)
        torch.testing.assert_close(maps[f"segments/{g}"], torch.full((4, g), 1 / g))
    torch.testing.assert_close(maps["granularities"], torch.full((4, 3), 1 / 3))


def test_weights_sum_to_one_and_differ_between_clips():
    maps = unequal(temporal()).eval()(batch()).maps
    assert set(maps) == {"segments/2", "segments/3", "segments/4", "granularities"}
    for weights in maps.values():
        torch.testing.assert_close(weights.sum(1), torch.ones(4))
        assert weights.std(0).min() > 0.01


def test_uniform_attention_is_a_mean_of_segments_and_granularities():
    system, _ = by_hand()
    with uniform_attention(system) as points:
        output = system.classify({f"{kind}/{g}": torch.zeros(1) for kind in ("segments", "poses") for g in (2, 3)})
    assert points == 2
    torch.testing.assert_close(output.features, torch.tensor([[((1 + 3) / 2 + (2 + 4 + 6) / 3) / 2]]))
    assert system.classify({f"{k}/{g}": torch.zeros(1) for k in ("segments", "poses") for g in (2, 3)}).features != 3


def test_each_granularity_reads_its_own_poses():
    system = unequal(temporal(granularities=(2, 3))).eval()
    features = system.encode(batch())
    before = system.classify(features).maps
    for g, other in ((2, 3), (3, 2)):
        after = system.classify({**features, f"poses/{g}": -features[f"poses/{g}"]}).maps
        assert not torch.allclose(after[f"segments/{g}"], before[f"segments/{g}"])
        assert torch.equal(after[f"segments/{other}"], before[f"segments/{other}"])


@pytest.mark.parametrize("granularities", [(2,), (5, 2), (3, 6), (2, 3, 4)])
def test_any_granularities(granularities):
    system = unequal(temporal(granularities=list(granularities), segment_attention=False)).eval()
    both, data = unequal(temporal(granularities=granularities, granularity_attention=False)).eval(), batch()
    assert system(data).maps["granularities"].shape == (4, len(granularities))
    assert list(both(data).maps) == [f"segments/{g}" for g in granularities]


def test_twelve_recurrent_networks_read_poses():
    """Eq. 5.4: 3 + 4 + 5. Its closed form, G_max (G_max + 1) / 2 - 2, makes 8 of them."""
    system = temporal(granularities=(2, 3, 4))
    count = sum(isinstance(module, nn.GRU) for module in system.pose_networks.modules())
    assert count == sum(g + 1 for g in (2, 3, 4)) == 12 != 4 * 5 // 2 - 2
    assert sum(isinstance(module, nn.GRU) for module in system.recurrent.modules()) == 3


def test_sizes_are_the_thesis():
    system = assemble(TemporalModel, SETTING)
    assert [r.hidden_size for r in system.recurrent.values()] == [512] * 3 and system.options.segment_poses == 5
    networks = system.pose_networks["4"]
    assert [(r.input_size, r.hidden_size) for r in networks.segments] == [(75, 150)] * 4
    assert (networks.whole.input_size, networks.whole.hidden_size) == (150, 150)


# The networks that read poses, figure 5.6


def test_each_segment_has_a_network_of_its_own():
    torch.manual_seed(0)
    networks, pose = PoseNetworks(4, 3, 6, 0.0), torch.randn(2, 1, 3 * 5, 4, 3)
    steps = networks(pose)
    last = [networks.segments[j](pose[:, 0, 5 * j : 5 * j + 5].flatten(2))[1][0] for j in range(3)]
    torch.testing.assert_close(steps, networks.whole(torch.stack(last, dim=1))[0])
    other = pose.clone()
    other[:, :, 5:10] += 1
    assert (networks(other) != steps).any(2).tolist() == [[False, True, True]] * 2


def test_steps_can_be_normalised_over_clips():
    """What all clips have in common after a segment, and nothing else, is taken away."""
    torch.manual_seed(0)
    networks, pose = PoseNetworks(4, 2, 6, 0.0, normalize=True), torch.randn(9, 1, 10, 4, 3)
    steps, plain = networks(pose), networks.encode(pose[:, 0])[0]
    torch.testing.assert_close(steps.mean(0), torch.zeros(2, 6), atol=1e-5, rtol=0)
    torch.testing.assert_close(steps, (plain - plain.mean(0)) / (plain.var(0, unbiased=False) + 1e-5).sqrt())
    system, data = temporal(normalize_steps=True).eval(), batch()
    assert [type(each.norm).__name__ for each in system.pose_networks.values()] == ["PoseNorm"] * 3
    assert system(data.replace(label=None)).logits.isfinite().all()


def test_persons_are_averaged_and_absent_ones_weigh_nothing():
    torch.manual_seed(0)
    networks, pose = PoseNetworks(4, 2, 6, 0.0), torch.randn(3, 2, 10, 4, 3)
    one, two = networks(pose[:, :1]), networks(pose[:, 1:])
    torch.testing.assert_close(networks(pose), (one + two) / 2)
    torch.testing.assert_close(networks(torch.cat([pose[:, :1], torch.zeros(3, 1, 10, 4, 3)], dim=1)), one)


# What is read


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize(("kind", "attention"), [(TemporalModel, True), (TemporalModel, False), (GlobalModel, True)])
def test_needs_are_what_is_read(kind, base, attention):
    system = temporal(kind, base=base, segment_attention=attention, granularity_attention=False).eval()
    assert system.needs_test == system.base.needs_test | {"segments"} | ({"pose"} if attention else set())
    assert system.needs_train == system.base.needs_train | system.needs_test | {"label"}
    assert system.needs_train <= kind.needs_train and system.needs_test <= kind.needs_test
    data, read = batch(), system.needs_test - {"segments"}
    cut = {g: Batch(**{name: getattr(part, name) for name in read}) for g, part in data.segments.items()}
    bare = Batch(**{name: getattr(data, name) for name in read}, segments=cut)
    output = system(bare)
    assert output.logits.shape == (4, 5) and output.logits.isfinite().all()
    assert system.loss(output, bare.replace(label=data.label))["total"].isfinite()
    for name in system.needs_test:
        without = {g: part.replace(**{name: None}) if name in read else part for g, part in cut.items()}
        with pytest.raises(ValueError, match=f"reads batch.{name}, which this batch doesn't have"):
            system(bare.replace(**{"segments": without, name: None}))


def test_rgb_without_attention_touches_no_pose():
    system, data = temporal(segment_attention=False, granularity_attention=False).eval(), batch()
    assert system.needs_test == {"video", "segments"} and not hasattr(system, "pose_networks")
    without = {g: part.replace(pose=None) for g, part in data.segments.items()}
    assert torch.equal(system(data).logits, system(data.replace(pose=None, segments=without)).logits)


def test_logits_depend_on_the_poses_through_the_attention_alone():
    system, data = unequal(temporal()).eval(), batch()
    other = data.replace(segments={g: part.replace(pose=part.pose.flip(0)) for g, part in data.segments.items()})
    assert not torch.allclose(system(data).maps["granularities"], system(other).maps["granularities"])
    level = temporal().eval()  # equal scores
    torch.testing.assert_close(level(data).logits, level(other).logits)


@pytest.mark.parametrize("kind", [TemporalModel, GlobalModel])
def test_order_within_the_batch_does_not_matter(kind):
    system, data, order = unequal(temporal(kind, base="vpn")).eval(), batch(), [2, 0, 3, 1]
    torch.testing.assert_close(system(rows(data, order)).logits, system(data).logits[order])


@pytest.mark.parametrize(("kind", "base"), [*((TemporalModel, base) for base in BASES), (GlobalModel, "vpn")])
def test_cached_features_say_the_same_as_clips(kind, base):
    system, data = unequal(temporal(kind, base=base)).eval(), batch(persons=2)
    with torch.no_grad():
        direct, features = system(data), system.encode(data)
    assert all(len(value) == 4 for value in features.values())
    order = torch.tensor([3, 1])
    kept = Batch(features={name: value[order] for name, value in features.items()}, label=data.label[order])
    cached = system(kept)
    torch.testing.assert_close(cached.logits, direct.logits[order], atol=1e-6, rtol=1e-6)
    for name in cached.maps:
        torch.testing.assert_close(cached.maps[name], direct.maps[name][order], atol=1e-6, rtol=1e-6)
    assert system.train().loss(system(kept), kept).keys() == {"total", "classification"}


# Training, algorithm 4


@pytest.mark.parametrize("kind", [TemporalModel, GlobalModel])
def test_stages_are_algorithm_4(kind):
    stages = temporal(kind, base="vpn").stages()
    assert [stage.name for stage in stages] == ["base/backbone", "base/joint", "head"]
    assert [stage.part for stage in stages] == ["base", "base", ""]
    head = stages[-1]
    assert (head.cached, head.freezes, head.loss) == ("encode", ("base",), "loss")
    assert head.optimizer == {"name": "adam", "lr": 5e-4}


@pytest.mark.parametrize(("kind", "base"), [*((TemporalModel, base) for base in BASES), (GlobalModel, "rgb")])
def test_each_stage_trains_its_part_and_no_other(kind, base):
    data = batch(2)
    for i, stage in enumerate(temporal(kind, base=base).stages()):
        system = unequal(temporal(kind, base=base, granularities=(3, 2)))
        stage = system.stages()[i]
        optim.freeze(system, stage)
        optim.train_mode(system)
        expected = {name for name, p in system.named_parameters() if p.requires_grad}
        assert expected and all(name.startswith("base.") == (stage.name != "head") for name in expected)
        for whole in (True, False) if stage.part else (True,):
            module = system if whole else system.get_submodule(stage.part)
            getattr(module, stage.loss)(module(data), data)["total"].backward()
            reached = {name for name, p in system.named_parameters() if p.grad is not None and p.grad.any()}
            # A part's own pass is the base's business; the whole must reach what the stage trains, all of it.
            assert reached == expected if whole else reached <= expected
            assert all(p.grad.isfinite().all() for p in system.parameters() if p.grad is not None)
            system.zero_grad(set_to_none=True)


def test_the_whole_gives_the_base_the_gradient_of_its_own_loss():
    system, data = unequal(temporal(base="rgb")), batch()
    system.base.dropout.p = 0.0
    stage = system.stages()[0]
    gradients = []
    for module in (system, system.base):
        module.zero_grad()
        module.train()
        getattr(module, stage.loss)(module(data), data)["total"].backward()
        gradients.append(system.base.classifier.weight.grad.clone())
    torch.testing.assert_close(*gradients)


def test_fit_trains_the_base_on_clips_and_the_rest_on_features(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    world = fake_synthadl(tmp_path / "world", actions=2, views=2, frames=12, size=(48, 64))
    preset = {"base": "tiny", "batch_size": 2, "clip": [8, 32, 32], "width": 0.125, "poses": 8}
    where = {"root": str(world), "runs": str(tmp_path / "runs"), "cache": None, "progress": False}
    options = {"granularities": [2, 3], "hidden": 8, "attention_hidden": 4}
    epochs = {"backbone": 1, "head": 2}
    run = fit({"system": "global_model", "options": options, "preset": preset, "epochs": epochs, **where})
    found = find_runs.open_run(run, tmp_path / "runs")
    assert found.history["stage"].tolist() == ["base/backbone", "head", "head"]
    kept = next(iter(Kept(found.folder / "features/head_train.safetensors", 2))).features
    assert sorted(kept) == ["basic", "poses/2", "poses/3", "segments/2", "segments/3"]
    assert kept["segments/3"].shape[:2] == (2, 3) and found.metrics


def test_loss_is_cross_entropy():
    system, data = unequal(temporal()).eval(), batch()
    output = system(data)
    terms = system.loss(output, data)
    assert set(terms) == {"total", "classification"}
    torch.testing.assert_close(terms["total"], F.cross_entropy(output.logits, data.label))


def test_explanations_reach_the_video_though_training_does_not():
    system, data = unequal(temporal()), batch()
    for training in (True, False):
        video = data.segments[3].video.clone().requires_grad_()
        cut = {**data.segments, 3: data.segments[3].replace(video=video)}
        output = system.train(training)(data.replace(segments=cut))
        gradient = torch.autograd.grad(output.logits.sum(), video, allow_unused=True)[0]
        assert (gradient is None) == training and (training or gradient.any())


def test_the_order_of_segments_can_be_learnt():
    """Two classes of the same segments in another order: a sum of features couldn't tell them apart."""
    system = temporal(granularities=(2, 3), dropout=0.0)
    size, generator = system.base.classifier.in_features, torch.Generator().manual_seed(0)
    features = {"poses/2": torch.zeros(8, 1, 10, 25, 3), "poses/3": torch.zeros(8, 1, 15, 25, 3)}
    for g in (2, 3):
        forth = torch.rand(4, g, size, generator=generator).sort(dim=1).values
        features[f"segments/{g}"] = torch.cat([forth, forth.flip(1)])
    data = Batch(features=features, label=torch.arange(8) // 4)
    head = [p for name, p in system.named_parameters() if not name.startswith("base.")]
    optimizer = torch.optim.Adam(head, lr=0.02)
    for _ in range(40):
        optimizer.zero_grad()
        system.loss(system(data), data)["total"].backward()
        optimizer.step()
    assert system.loss(system(data), data)["total"] < 0.1


def test_bf16_leaves_the_attention_exact():
    system, data = unequal(temporal()).eval(), batch()
    with torch.no_grad():
        exact = system(data)
        with torch.autocast("cpu", torch.bfloat16):
            rough = system(data)
    assert rough.logits.dtype == torch.float32
    assert torch.equal(rough.maps["granularities"], exact.maps["granularities"])


# Global Model, 5.3


def test_product_and_sum_of_class_scores_by_hand():
    temporal_scores, basic_scores = torch.tensor([[0.6, 0.3, 0.1]]), torch.tensor([[0.1, 0.7, 0.2]])
    says = Output(temporal_scores.log() + 5.0, torch.zeros(1, 2), {"granularities": torch.ones(1, 1)})
    for combine, expected in {"product": [6 / 29, 21 / 29, 2 / 29], "sum": [0.35, 0.5, 0.15]}.items():
        output = temporal(GlobalModel, combine=combine).fuse(says, basic_scores.log() - 3.0, {})
        torch.testing.assert_close(output.logits.softmax(1), torch.tensor([expected]))
        assert output.maps == says.maps


@pytest.mark.parametrize("base", ["rgb", "vpn"])
def test_basic_and_temporal_model_share_the_base(base):
    part, data = unequal(temporal(base=base)).eval(), batch()
    whole = temporal(GlobalModel, seed=9, base=base).eval()
    whole.load_state_dict(part.state_dict())
    output, basic = whole(data), part.base(data)
    expected = part(data).logits.softmax(1) * basic.logits.softmax(1)
    torch.testing.assert_close(output.logits.softmax(1), expected / expected.sum(1, keepdim=True))
    assert {*part(data).maps, *basic.maps} == set(output.maps)
    torch.testing.assert_close(output.maps["feature_map"], basic.maps["feature_map"])
    # Each is trained alone, and fused afterwards.
    torch.testing.assert_close(whole.loss(output, data)["total"], part.loss(part(data), data)["total"])


# What is not valid


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"granularities": (1, 2)}, r"granularities must be 2 or more \(1 is the whole video\), got \(1, 2\)"),
        ({"granularities": (2, 3, 2)}, r"granularities must differ from each other, got \(2, 3, 2\)"),
        ({"granularities": ()}, "granularities must be a list of one or more values"),
        ({"granularities": 3}, "granularities must be a list of one or more values, got 3"),
        ({"granularities": (2, 2.5)}, "granularities must be a whole number >= 1"),
        ({"segments": "stretched"}, "segments must be one of 'resampled', 'looped', 'repeated', got 'stretched'"),
        ({"base": "i3d"}, "base must be one of 'rgb', 'p_i3d', 'separable_sta', 'vpn', got 'i3d'"),
        ({"segment_poses": 0}, "segment_poses must be a whole number >= 1, got 0"),
        ({"dropout": 1.0}, "dropout must be below 1, got 1.0"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    for kind in (TemporalModel, GlobalModel):
        with pytest.raises(ValueError, match=message) as error:
            assemble(kind, SETTING, **options)
        assert "\n" not in str(error.value)


def test_bad_combination_is_refused():
    with pytest.raises(ValueError, match="combine must be one of 'product', 'sum', got 'dot'"):
        assemble(GlobalModel, SETTING, combine="dot")
