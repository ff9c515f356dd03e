"""Dense trajectories and two-level fusion: each step against numbers worked out by hand, and what a stage trains."""

from __future__ import annotations

import pytest
import torch

from workbench.study.train import optim
from workbench.systems.common.building import Setting, assemble
from workbench.systems.common.pair_memory import PairMemory, confused_pairs, join
from workbench.systems.thesis.dense_trajectories import Codebook, DenseTrajectories
from workbench.systems.thesis.two_level_fusion import TwoLevelFusion, best_alpha, best_scale, time_step
from workbench.types import Batch, Skeleton

SETTING = Setting(3, Skeleton.named("kinect_v2"), (8, 32, 32), poses=4, width=0.125, output_stride=(4, 16, 16))
SMALL = {"hidden": 6, "gaussians": 2}
REGIONS = ("left_hand", "full_body", "full_frame")


def system(seed: int = 0, **options) -> TwoLevelFusion:
    torch.manual_seed(seed)
    return assemble(TwoLevelFusion, SETTING, **{**SMALL, "regions": REGIONS, **options})


def batch(count: int = 4, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    tracks = torch.rand(count, 10, 426, generator=generator)
    tracks[1, 4:] = torch.nan
    return Batch(
        parts=torch.rand(count, 3, 3, 8, 32, 32, generator=generator) * 2 - 1,
        trajectories=tracks,
        pose=torch.randn(count, 1, 4, 25, 3, generator=generator),
        label=torch.arange(count) % 3,
    )


def kept(model: TwoLevelFusion, count: int = 60, seed: int = 0) -> list[Batch]:
    """Features, in batches, of which some know the classes: region 1 all of them; the motion 0 from the others; the
    poses 1 from 2, in opposite directions of one number; the other regions nothing."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(3, (count,), generator=generator)
    sizes = model.memory.sizes
    found = {
        "appearance": torch.randn(count, 3, sizes["appearance"], generator=generator),
        "size": torch.full((count, 3), 2.0),
        "motion": 0.1 * torch.randn(count, sizes["motion"], generator=generator),
        "pose": 0.1 * torch.randn(count, 4, 6, generator=generator),
    }
    found["appearance"][:, 1, :3] = 10 * torch.nn.functional.one_hot(label, 3).float()
    found["motion"][:, 0] += (label == 0) * 4 - 2
    found["pose"][:, 3, 0] += (label == 1) * 1.0 - (label == 2) * 1.0
    rows = torch.arange(count).split(16)
    return [Batch(features={name: value[part] for name, value in found.items()}, label=label[part]) for part in rows]


# Late fusion


def test_alpha_search_finds_the_known_best():
    # The first clip needs alpha > 0.5, the second alpha < 0.8, the third is right and the fourth wrong whatever alpha.
    first = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.3, 0.7]])
    second = torch.tensor([[0.1, 0.9], [0.9, 0.1], [0.8, 0.2], [0.2, 0.8]])
    label = torch.zeros(4, dtype=torch.int64)
    assert best_alpha(first, second, label) == 0.65  # the middle of 0.51 ... 0.79
    wrong, right = torch.tensor([[0.1, 0.9]]), torch.tensor([[1.0, 0.0]])
    assert best_alpha(wrong, right, label[:1]) < 0.5 < best_alpha(right, wrong, label[:1])


def test_scores_become_probabilities_that_are_as_sure_as_they_are_right():
    sure = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    assert best_scale(sure, torch.tensor([0, 1])) >= 10 and best_scale(
        sure, torch.tensor([1, 0])
    ).item() == pytest.approx(0.1)
    # Three of four are right: P = 3/4 where the scores differ by 2, so scale = log(3) / 2 = 0.55.
    scores = sure[[0, 0, 0, 0]]
    assert best_scale(scores, torch.tensor([0, 0, 0, 1])).item() == pytest.approx(0.55, abs=0.06)


def test_fusion_is_equation_3_6():
    model = system().eval()
    model.alpha.fill_(0.25)
    model.scales.copy_(torch.tensor([1.0, 2.0]))
    output = model(batch())
    first, second = output.aux["early"].softmax(1), (2 * output.aux["late"]).softmax(1)
    torch.testing.assert_close(output.logits.exp(), 0.25 * first + 0.75 * second)


def test_early_fusion_brings_each_cue_to_length_one():
    blocks = [torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 2.0]])]
    torch.testing.assert_close(join(blocks), torch.tensor([[0.6, 0.8, 0.0, 1.0]]))
    assert join(blocks[:1]) is blocks[0]


# Action-pair memory


def one_hot(classes: list[int], count: int = 4) -> torch.Tensor:
    return torch.nn.functional.one_hot(torch.tensor(classes), count).float()


def test_confused_pairs_are_those_above_epsilon_in_order():
    label = torch.tensor([0] * 4 + [1] * 2 + [2] * 10)
    scores = one_hot([0, 0, 0, 1, 0, 1, *[2] * 7, 3, 3, 0])
    # C(0,1) + C(1,0) = 1/4 + 1/2; C(2,3) = 2/10, class 3 has no clips; C(2,0) = 1/10.
    pairs = confused_pairs(scores, label, 0.1)
    assert [pair[:2] for pair in pairs] == [(0, 1), (2, 3), (0, 2)]
    assert [pair[2] for pair in pairs] == pytest.approx([0.75, 0.2, 0.1])
    assert [pair[:2] for pair in confused_pairs(scores, label, 0.44)] == [(0, 1)]


def test_a_pairs_classifier_exchanges_the_scores_of_clips_it_is_asked_about():
    memory = PairMemory({"x": 1, "y": 2}, 4)
    memory.pairs[0], memory.cues[0] = torch.tensor([1, 2]), torch.tensor([True, False])
    memory.weight[0, 0], memory.bias[0] = 2.0, -1.0  # 2 x - 1: class 2 where x > 1/2
    memory.pairs[1], memory.cues[1] = torch.tensor([2, 3]), torch.tensor([True, True])
    memory.weight[1, 1], memory.bias[1] = 1.0, -0.7  # class 3 where y_0 / |y| > 0.7
    scores = torch.tensor([[0.1, 0.5, 0.3, 0.1]]).repeat(4, 1)
    scores[3] = torch.tensor([0.6, 0.2, 0.1, 0.1])
    blocks = {"x": torch.tensor([[0.0], [1.0], [1.0], [1.0]]), "y": torch.tensor([[9.0, 0], [0, 9], [9, 0], [9, 0]])}
    expected = [
        [0.1, 0.5, 0.3, 0.1],  # asked, and right
        [0.1, 0.3, 0.5, 0.1],  # 2 rather than 1; the second pair agrees with 2
        [0.1, 0.3, 0.1, 0.5],  # 2 rather than 1, then 3 rather than 2
        [0.6, 0.2, 0.1, 0.1],  # predicted to be 0: no one is asked
    ]
    torch.testing.assert_close(memory(scores, blocks), torch.tensor(expected))


def test_an_empty_memory_changes_nothing():
    memory, scores = PairMemory({"x": 1}, 4), torch.rand(3, 4)
    assert memory(scores, {"x": torch.rand(3, 1)}) is scores


def test_the_memory_remembers_which_cue_tells_a_pair_apart():
    generator = torch.Generator().manual_seed(0)

    def split() -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        label = torch.arange(40) % 4
        x, y = torch.randn(40, 2, generator=generator), 0.1 * torch.randn(40, 3, generator=generator)
        y[:, 1] += (label == 3) * 2.0 - 1
        return {"x": x, "y": y}, label

    memory = PairMemory({"x": 2, "y": 3}, 4)
    train, validation = split(), split()
    memory.fit("svm", [(1, 3, 0.6)], train, validation)
    assert memory.pairs.tolist() == [[1, 3], [-1, -1], [-1, -1], [-1, -1]]
    assert memory.cues[0].tolist() == [False, True] and not memory.weight[0, :2].any()
    blocks, label = split()
    fixed = memory(one_hot([1] * 40), blocks)
    assert torch.equal(fixed.argmax(1)[label == 3], torch.full((10,), 3))
    assert torch.equal(fixed.argmax(1)[label == 1], torch.full((10,), 1))


# The whole


def test_what_is_solved_is_what_the_features_know():
    model = system(epsilon=0.3).eval()
    numbers = model.fit_fusion(kept(model), kept(model, seed=1))
    assert int(model.region) == 1 and numbers["full_body_accuracy"] == 1 > numbers["left_hand_accuracy"]
    assert model.norms.tolist() == [2, 2, 2]
    assert numbers["accuracy"] == 1 and numbers["pairs"] == 0
    for part in kept(model, seed=2):
        output = model(part)
        assert torch.equal(output.logits.argmax(1), part.label)
        assert output.maps["parts"].tolist() == [[0, 1, 0]] * len(part.label)
        expected = part.features["appearance"][:, 1] / 2
        torch.testing.assert_close(output.features[:, : expected.shape[1]], torch.nn.functional.normalize(expected))
    other = system(seed=5, epsilon=0.3).eval()
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(part).logits, output.logits)
    again = system(epsilon=0.3).eval()
    again.fit_fusion(kept(model), kept(model, seed=1))
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())


def test_look_alikes_are_told_apart_by_the_poses():
    """Without region 1 appearance knows nothing, motion only class 0; alpha 1 leaves the poses out of the fusion."""
    options = {
        "regions": ("left_hand",),
        "alpha_search": False,
        "alpha": 1.0,
        "cues": ("motion", "pose"),
        "epsilon": 0.4,
    }
    model = system(**options).eval()
    full = system()
    splits = [kept(full, seed=seed) for seed in range(3)]
    for part in (part for split in splits for part in split):
        del part.features["appearance"], part.features["size"]
    numbers = model.fit_fusion(*splits[:2])
    assert model.memory.pairs[0].tolist() == [1, 2] and model.memory.cues[0].tolist() == [False, True]
    counts = torch.bincount(torch.cat([part.label for part in splits[1]]))
    assert numbers["one_mistake"] == pytest.approx(1 / int(counts.min()))
    assert numbers["fused_accuracy"] < 0.9 and numbers["accuracy"] == 1 and float(model.alpha) == 1
    part = splits[2][0]
    assert torch.equal(model(part).logits.argmax(1), part.label)
    plain = system(**options, discrimination=False).eval()
    assert "accuracy" not in plain.fit_fusion(*splits[:2])
    assert not torch.equal(plain(part).logits.argmax(1), part.label)


def test_a_clip_gives_what_its_kept_features_give():
    model, data = system().eval(), batch()
    with torch.no_grad():
        for region in range(3):
            model.region.fill_(region)
            model.norms.copy_(torch.tensor([1.0, 2, 3]))
            torch.testing.assert_close(model(Batch(features=model.encode(data))).logits, model(data).logits)
            # The other regions are not looked at.
            data.parts[:, [other for other in range(3) if other != region]] = torch.nan
            assert model(data).logits.isfinite().all()
            data = batch()


def test_appearance_is_pooled_over_time_steps():
    model, data = system(cues=("appearance",)).eval(), batch()
    with torch.no_grad():
        z = model.backbone(data.parts[:, 2]).mean((3, 4))  # [B,C,T'] with T' = 2
        found = model.encode(data)
    change = z[..., 1] - z[..., 0]
    expected = torch.cat([z.amin(2), z.amax(2), change, change], dim=1)
    torch.testing.assert_close(found["appearance"][:, 2], expected)
    torch.testing.assert_close(found["size"][:, 2], (z[..., 0].norm(dim=1) + z[..., 1].norm(dim=1)) / 2)
    assert model.needs_test == {"parts"} and model.needs_train == {"parts", "label"}


@pytest.mark.parametrize(("frames", "length", "steps", "expected"), [(4, 64, 8, 1), (4, 64, 64, 4), (4, 16, 16, 4)])
def test_four_frames_in_time_steps(frames, length, steps, expected):
    assert time_step(frames, length, steps) == expected


@pytest.mark.parametrize("options", [{}, {"fusion": "early"}, {"cues": ("pose",)}, {"cues": ("motion",)}])
def test_each_stage_trains_its_own_and_nothing_else(options):
    model, data = system(**options), batch()
    names = [stage.name for stage in model.stages()]
    cues = options.get("cues", ("motion", "pose"))
    assert names == ["pose/pose"] * ("pose" in cues) + ["fisher/codebook"] * ("motion" in cues) + ["head"]
    for stage in model.stages():
        model.zero_grad()
        optim.freeze(model, stage)
        model.train()
        terms = getattr(model, stage.loss)(model(data), data)
        terms["total"].backward()
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                assert parameter.grad.isfinite().all() and parameter.grad.abs().sum() > 0, (stage.name, name)
            else:
                assert parameter.grad is None, (stage.name, name)
        part = model.get_submodule(stage.part)
        own = getattr(part, stage.loss)(part(data), data)
        if stage.name != "pose/pose":  # which has dropout
            torch.testing.assert_close(own["total"], terms["total"])


def test_early_fusion_of_all_cues_has_one_classifier():
    two, one = system(), system(fusion="early")
    assert {name: cues for name, cues in two.groups.items()} == {"early": ["appearance", "motion"], "late": ["pose"]}
    assert one.groups == {"early": ["appearance", "motion", "pose"]}
    assert set(one(batch()).aux) == {"early", "steps"}


def test_the_hinge_loss_descends_towards_the_solution():
    model = system(seed=1)
    (data,) = kept(model, count=16)
    for layer in model.classifiers.values():
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    model.region.fill_(1)
    model.norms.fill_(2)
    model.loss(model(data), data)["total"].backward()
    gradient = {name: layer.weight.grad.clone() for name, layer in model.classifiers.items()}
    model.fit_fusion([data], [data])
    for name, layer in model.classifiers.items():
        assert torch.cosine_similarity(-gradient[name].flatten(), layer.weight.flatten(), dim=0) > 0.5, name


def test_missing_tracks_and_poses_are_no_reason_to_fail():
    model, data = system().eval(), batch()
    data.trajectories[:] = torch.nan
    data.pose[:] = 0
    output = model(data)
    assert output.logits.isfinite().all()
    assert model.fisher(data).features.eq(0).all()


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="cues must differ from each other"):
        system(cues=("pose", "pose"))
    with pytest.raises(ValueError, match="alpha must be between 0 and 1, got 1.5"):
        system(alpha=1.5)
    with pytest.raises(ValueError, match=r"epsilon must be in \(0, 2\], got 0"):
        system(epsilon=0.0)
    with pytest.raises(ValueError, match="regions must be one of"):
        system(regions=("nose",))
    with pytest.raises(ValueError, match="4 frames must give at least 2 time steps"):
        assemble(TwoLevelFusion, Setting(3, Skeleton.named("kinect_v2"), (4, 32, 32), 4, width=0.125), **SMALL)
    model, data = system(), batch()
    with pytest.raises(ValueError, match="batch.parts has 2 regions, expected 3: left_hand, full_body, full_frame"):
        model(data.replace(parts=data.parts[:, :2]))
    with pytest.raises(ValueError, match="reads batch.trajectories"):
        model(data.replace(trajectories=None))
    with pytest.raises(ValueError, match="a track has 426 numbers, got 425"):
        model(data.replace(trajectories=data.trajectories[..., 1:]))


# Dense trajectories alone


def tracks(count: int, seed: int) -> Batch:
    """Each class's tracks lean their own way in the space of HOF; the last clip has none."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.arange(count) % 3
    found = 0.2 * torch.randn(count, 30, 426, generator=generator)
    found[:, :, 126:234] += 0.15 * torch.nn.functional.one_hot(label, 3).repeat_interleave(36, 1)[:, None]
    found[-1] = torch.nan
    return Batch(trajectories=found, label=label, ids=[str(i) for i in range(count)])


def test_dense_trajectories_from_tracks_to_classes():
    torch.manual_seed(0)
    model = assemble(DenseTrajectories, SETTING, gaussians=1, descriptors=("hof",)).eval()
    train, validation, test = (tracks(count, seed) for seed, count in enumerate((31, 13, 13)))
    codebook, head = model.stages()
    assert (codebook.part, codebook.solve, head.cached, head.solve) == (
        "fisher",
        "fit_codebook",
        "encode",
        "fit_classifier",
    )
    numbers = model.fisher.fit_codebook([train], [validation])
    assert numbers == {"tracks": 900}
    features = [Batch(features=model.encode(split), label=split.label) for split in (train, validation)]
    numbers = model.fit_classifier(features[:1], features[1:])
    assert numbers["validation_accuracy"] >= 12 / 13  # the clip without tracks is anybody's guess
    output = model(test)
    assert torch.equal(output.logits.argmax(1)[:-1], test.label[:-1])
    torch.testing.assert_close(output.features.norm(dim=1), torch.tensor([1.0] * 12 + [0.0]))
    torch.testing.assert_close(model(Batch(features=model.encode(test))).logits, output.logits)


def test_dense_trajectories_do_not_mind_the_order_of_tracks_or_clips():
    model, data = assemble(DenseTrajectories, SETTING, gaussians=2).eval(), tracks(4, 0)
    shuffled = data.replace(trajectories=data.trajectories[:, torch.randperm(30)])
    torch.testing.assert_close(model(shuffled).logits, model(data).logits)
    torch.testing.assert_close(
        model(data.replace(trajectories=data.trajectories.flip(0))).logits, model(data).logits.flip(0)
    )


def test_only_the_chosen_descriptors_are_read():
    model, data = assemble(DenseTrajectories, SETTING, gaussians=2, descriptors=("shape", "mbhy")), tracks(3, 0)
    before = model(data).features
    data.trajectories[:2, :, 30:330] = 5.0
    assert torch.equal(model(data).features, before)
    assert before.shape[1] == 2 * 2 * (15 + 48)


def test_a_sample_of_tracks_is_drawn_evenly():
    model = assemble(Codebook, SETTING, gaussians=2, samples=50)
    batches = [Batch(trajectories=torch.full((2, 20, 426), float(i)), label=torch.zeros(2)) for i in range(10)]
    drawn = model.draw(batches)
    assert drawn.shape == (50, 426) and torch.equal(drawn, model.draw(batches))
    counts = torch.bincount(drawn[:, 0].long(), minlength=10)
    assert counts.min() >= 1 and counts.max() <= 12  # 5 of each batch are expected
    assert model.draw(batches[:1]).shape == (40, 426)


def test_a_codebook_needs_tracks():
    model = assemble(Codebook, SETTING, gaussians=100)
    with pytest.raises(ValueError, match="90 descriptors are too few for 100 Gaussians"):
        model.fit_codebook([tracks(4, 0)], None)
