"""VPN-F, VPN-A, VPN++ and their kin over flow: who teaches what, when, and who is asked at test time."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from workbench import losses
from workbench.nets import uniform_attention
from workbench.study.config.train_config import TrainConfig
from workbench.study.train import optim
from workbench.systems import build
from workbench.systems.vpnpp.vpn_f import StudentOptions, contrast, f_s, pairs
from workbench.types import Batch

SIZES = {"clip": (8, 32, 32), "width": 0.125, "output_stride": (4, 16, 16), "poses": 6}  # T' = H' = W' = 2
TABLE_3 = [
    {"level": level, "distillation": loss, "collaborative": together}
    for level in ("attention", "feature")
    for loss in ("mse", "scd")
    for together in (True, False)
]
VARIANTS = [
    *(("vpn_f", {"distillation": loss}) for loss in ("scd", "crd", "mse")),
    *(("vpn_f", {"similarity": name, "negatives": "all"}) for name in ("unit", "temperature")),
    *(("vpn_a", options) for options in TABLE_3),
    ("vpn_a", {"embedding": True, "projection": "both"}),
    ("vpn_a", {"detach_teacher": True, "reduction": "mean", "block_gamma": 1.0}),
    *(("vpn_pp", {"combination": name}) for name in ("multi_teacher", "f_then_a", "a_then_f", "late_fusion")),
    ("vpn_pp", {"embedding": True, "with_pose": True}),
    ("vpn_pp", {"combination": "late_fusion", "with_pose": True, "combine": "logit_sum"}),
    ("vfn_pp", {}),
    ("vfn_pp", {"with_flow": True, "distillation": "mse"}),
    ("vpfn_pp", {}),
    ("vpfn_pp", {"with_pose": True, "with_flow": True}),
]
BLIND = [(name, options) for name, options in VARIANTS if not {"with_pose", "with_flow"} & set(options)]


def batch(count: int = 4, seed: int = 0, side: int = 32, classes: int = 2) -> Batch:
    generator = torch.Generator().manual_seed(seed)

    def pictures(channels: int) -> torch.Tensor:
        return torch.rand(count, channels, 8, side, side, generator=generator) * 2 - 1

    pose = torch.randn(count, 1, 6, 25, 3, generator=generator)
    return Batch(video=pictures(3), flow=pictures(2), pose=pose, label=torch.arange(count) % classes)


def make(name: str, seed: int = 0, **options):
    """A system whose networks, though untrained, tell clips apart: not one layer of zeros, and no dropout."""
    torch.manual_seed(seed)
    system = build(name, 5, **SIZES, **{"dropout": 0.0, "dataset_size": 100, **options})
    for path, module in system.named_modules():
        if isinstance(module, torch.nn.BatchNorm3d | torch.nn.BatchNorm2d):
            module.momentum = 1.0
            torch.nn.init.ones_(module.weight)
        if path.endswith("score"):
            torch.nn.init.normal_(module.weight, std=0.3)
    with torch.no_grad():
        assert system.train()(batch(8, seed=9)).features.abs().mean() > 0.1
    return system


def gradients(system) -> set[str]:
    return {name for name, p in system.named_parameters() if p.grad is not None and p.grad.any()}


# Pairs and their contrast


def test_a_negative_is_of_another_class_and_any_of_them():
    label, drawn = torch.tensor([0, 0, 1, 2, 1]), set()
    for seed in range(200):
        video, pose, positive = pairs(label, "all", seed)
        assert positive.tolist() == [True] * 5 + [False] * 5
        assert video.tolist() == [0, 1, 2, 3, 4] * 2 and pose[:5].tolist() == [0, 1, 2, 3, 4]
        assert (label[video[5:]] != label[pose[5:]]).all()
        drawn |= set(zip(video[5:].tolist(), pose[5:].tolist(), strict=True))
    assert drawn == {(i, j) for i in range(5) for j in range(5) if label[i] != label[j]}


def test_a_batch_of_sixteen_is_eight_positives_and_eight_negatives():
    """Section 4.1. Each of eight videos is in two pairs (section 3.2), with poses of any clip of another class."""
    label, drawn = torch.arange(16) % 5, set()
    for seed in range(100):
        video, pose, positive = pairs(label, "half", seed)
        assert positive.tolist() == [True] * 8 + [False] * 8
        assert video[:8].tolist() == video[8:].tolist() == pose[:8].tolist() == list(range(0, 16, 2))
        drawn |= set(pose[8:].tolist())
    assert drawn == set(range(16))
    # N of eq. 1 is then 8.
    options = StudentOptions(dataset_size=400)
    zeros = torch.zeros(16, 3)
    per_pair = F.softplus(torch.tensor(8 / 400).log()) + F.softplus(-torch.tensor(8 / 400).log())
    torch.testing.assert_close(contrast(zeros, zeros, label, options), per_pair)


def test_without_another_class_there_are_no_negatives():
    video, pose, positive = pairs(torch.tensor([3, 3]), "all")
    assert video.tolist() == pose.tolist() == [0, 1] and positive.all()
    options = StudentOptions(similarity="unit", negatives="all", dataset_size=4)
    loss = contrast(torch.eye(2), torch.eye(2), torch.tensor([3, 3]), options)
    torch.testing.assert_close(loss, -F.logsigmoid(1 - torch.tensor(0.5).log()))


@pytest.mark.parametrize(
    ("similarity", "expected"),
    # As they come: with their own poses 6 and 0, with the other clip's 12 and 2. Unit length: 0.6, 0, 0.8 and 1.
    [
        ("raw", [6.0, 0.0, 12.0, 2.0]),
        ("unit", [0.6, 0.0, 0.8, 1.0]),
        ("temperature", [0.6 / 0.2, 0, 0.8 / 0.2, 1 / 0.2]),
    ],
)
def test_contrast_by_hand(similarity, expected):
    teacher, student = torch.tensor([[2.0, 0.0], [0.0, 3.0]]), torch.tensor([[3.0, 4.0], [1.0, 0.0]])
    # Two negatives of 50 clips.
    options = StudentOptions(similarity=similarity, temperature=0.2, negatives="all", dataset_size=50)
    s, log_m = torch.tensor(expected), torch.tensor(2 / 50).log()
    loss = -(F.logsigmoid(s[:2] - log_m).sum() + F.logsigmoid(log_m - s[2:]).sum()) / 2
    torch.testing.assert_close(contrast(teacher, student, torch.tensor([4, 1]), options), loss)


# VPN-F


@pytest.mark.parametrize("distillation", ["scd", "mse"])
def test_vpn_f_is_equation_3_without_attention(distillation):
    system, data = make("vpn_f", distillation=distillation, alpha=7.0), batch(2)
    output = system(data)
    terms = system.loss(output, data)
    l_c = F.cross_entropy(system.student(data).logits, data.label)
    features = system.student.backbone(data.video).mean((2, 3, 4))
    teacher, student = system.teacher(data).features, system.distillation.student(features)
    l_d = (teacher - student).square().mean()
    if distillation == "scd":  # of two clips each is the other's negative
        l_d = contrast(teacher, student, data.label, system.options)
    torch.testing.assert_close(terms["distillation"], l_d)
    torch.testing.assert_close(terms["total"], l_c + 7 * l_d)
    torch.testing.assert_close(output.aux["features/teacher"], teacher)


@pytest.mark.parametrize("distillation", ["scd", "crd", "mse"])
def test_distillation_never_moves_the_pose_teacher(distillation):
    system, data = make("vpn_f", distillation=distillation), batch()
    output = system(data)
    system.distillation.loss(output.aux["features/teacher"], output.aux["features/student"], data.label).backward()
    assert {name.split(".")[0] for name in gradients(system)} == {"student", "distillation"}


def test_published_numbers_are_the_default():
    for name in ("vpn_f", "vpn_a", "vpn_pp"):
        options = build(name, 5, **SIZES).options
        weights = [getattr(options, weight) for weight in ("alpha", "beta") if hasattr(options, weight)]
        assert set(weights) == {50.0} and (options.dropout, options.normalize) == (0.3, "agcn")
    stage = build("vpn_f", 5, **SIZES).stages()[-1]
    assert stage.optimizer == {"name": "sgd", "lr": 0.01, "momentum": 0.9}
    assert stage.schedule == {"name": "step", "every": 10, "factor": 0.1}


def test_crd_distils_before_it_classifies():
    system, data = make("vpn_f", distillation="crd"), batch()
    pose, distillation, downstream = system.stages()
    assert (distillation.loss, downstream.part, downstream.trains) == ("crd_loss", "student", ("student",))
    held = system.distillation.memory.label.ge(0).sum()
    output = system(data)
    assert system.distillation.memory.label.ge(0).sum() == held + 4
    system.crd_loss(output, data)["classification"].backward(retain_graph=True)
    assert gradients(system) == {"student.classifier.weight", "student.classifier.bias"}
    system.crd_loss(output, data)["distillation"].backward()
    found = {name.rpartition(".")[0] for name in gradients(system)}
    assert {"distillation.student", "distillation.teacher", "student.backbone.Mixed_5c.b0.conv3d"} <= found
    assert system.loss(output, data).keys() == {"total", "classification"}
    system.eval()(data)
    assert system.distillation.memory.label.ge(0).sum() == held + 4


@pytest.mark.parametrize(("name", "options"), [("vpn_f", {"distillation": "mse"}), ("vpn_a", {"projection": "both"})])
def test_the_order_of_a_batch_makes_no_difference(name, options):
    system, data, order = make(name, **options), batch(), torch.tensor([2, 0, 3, 1])
    other = Batch(**{field: getattr(data, field)[order] for field in ("video", "pose", "label")})
    losses_of = [system.loss(system(data), data)["total"], system.loss(system(other), other)["total"]]
    torch.testing.assert_close(*losses_of, rtol=1e-4, atol=1e-4)


def test_students_learn_what_distillation_asks_for():
    for name, options, key in (
        ("vpn_f", {"similarity": "temperature"}, "distillation"),
        ("vpn_a", {"collaborative": False}, "distillation"),
        ("vpn_pp", {"similarity": "temperature"}, "features"),
    ):
        system, data = make(name, bn_momentum=0.1, **options), batch()
        stage = system.stages()[-1]
        optim.freeze(system, stage)
        optim.train_mode(system)
        optimizer = torch.optim.Adam([p for p in system.parameters() if p.requires_grad], lr=1e-3)
        before = None
        for _ in range(8):
            optimizer.zero_grad()
            terms = system.loss(system(data), data)
            before = before or terms[key].item()
            terms["total"].backward()
            optimizer.step()
        assert terms[key] < 0.75 * before, name


@pytest.mark.parametrize(("name", "path"), [("vpn_f", ""), ("vfn_pp", ""), ("vpn_pp", "vpn_pp")])
def test_the_ceiling_reads_the_teachers_own_feature(name, path):
    whole, plain, data = make(name, given="teacher"), make(name), batch()
    system = whole.get_submodule(path)
    teacher = "flow" if name == "vfn_pp" else "pose"
    assert whole.needs_test == {"video", teacher} and plain.needs_test == {"video"}
    system.eval()
    student, taught = system.student(data), system.teach(data)[teacher]
    torch.testing.assert_close(whole(data).logits, student.logits)  # it starts as any other student
    torch.nn.init.normal_(system.given.classifier.weight)
    expected = student.logits + system.given.classifier(taught.features)
    torch.testing.assert_close(whole(data).logits, expected)
    assert not torch.equal(system(data.replace(**{teacher: -getattr(data, teacher)})).logits, expected)
    system.train()
    terms = system.loss(system(data), data)
    assert "features" not in terms
    terms["classification"].backward()
    moved = gradients(system)
    assert "given.classifier.weight" in moved
    assert not any(name.startswith(("pose_teacher", "teacher")) for name in moved)
    last = whole.stages()[-1]
    optim.freeze(whole, last)
    assert system.given.classifier.weight.requires_grad


# VPN-A


def test_vpn_star_is_vpn_with_two_layers_of_agcn_and_no_embedding():
    teacher, data = make("vpn_a").teacher, batch()
    assert teacher.pose_backbone.layers == 2 and not hasattr(teacher, "embedding")
    output = teacher(data)
    h, joints = teacher.pose_backbone(data.pose)
    torch.testing.assert_close(output.maps["joints"], joints)
    h = teacher.attention.norm(h)
    spatial = teacher.attention.spatial(h).sigmoid().view(-1, 2, 2)
    temporal = teacher.attention.temporal(h).softmax(1)
    weights = temporal[:, :, None, None] * spatial[:, None]
    torch.testing.assert_close(output.maps["attention"], weights)
    f = teacher.backbone(data.video)
    torch.testing.assert_close(output.maps["modulated"], f * (1 + weights[:, None]))
    l_c = F.cross_entropy(output.logits, data.label)
    torch.testing.assert_close(teacher.loss(output, data)["total"], l_c)


def test_the_student_attends_to_itself():
    student, data = make("vpn_a").student, batch()
    output = student(data)
    f = student.backbone(data.video)
    modulated, affinity = student.block.attend(f)
    assert not torch.equal(modulated, f)
    torch.testing.assert_close(output.maps["feature_map"], f)
    torch.testing.assert_close(output.maps["affinity"], affinity)
    torch.testing.assert_close(output.features, modulated.mean((2, 3, 4)))
    assert affinity.shape == (4, 8, 2) and output.maps["affinity_grid"].tolist() == [2, 2, 2]
    for name in ("vpn_a", "vpn_pp"):  # which names the block that the student has anyway
        twice = build(name, 5, backbone="i3d_nonlocal", **SIZES)
        assert sum(type(module).__name__ == "NonLocal" for module in twice.modules()) == 1


@pytest.mark.parametrize("projection", ["student", "both"])
def test_vpn_a_is_equation_3_without_features(projection):
    system, data = make("vpn_a", beta=3.0, projection=projection), batch()
    if projection == "both":
        torch.nn.init.normal_(system.distillation.teacher.weight)
    terms = system.loss(system(data), data)
    student, teacher = system.student(data), system.teacher(data)
    a_t, a_s = teacher.maps["attention"].flatten(1), student.maps["affinity"].flatten(1)
    a_t = system.distillation.teacher(a_t)
    e_a = a_s @ system.distillation.student.weight.T
    l_d = (a_t / a_t.norm(dim=1, keepdim=True) - e_a / e_a.norm(dim=1, keepdim=True)).square().sum(1).mean()
    l_s, l_t = (F.cross_entropy(one.logits, data.label) for one in (student, teacher))
    for name, value in {"classification": l_s, "teacher": l_t, "distillation": l_d}.items():
        torch.testing.assert_close(terms[name], value)
    torch.testing.assert_close(terms["total"], l_s + l_t + 3 * l_d)


def test_features_are_those_that_are_classified():
    system, data = make("vpn_a", level="feature"), batch()
    aux = system(data).aux
    torch.testing.assert_close(aux["features/teacher"], system.teacher(data).features)
    expected = system.distillation.student(system.student(data).features)
    torch.testing.assert_close(aux["features/student"], expected)


@pytest.mark.parametrize("options", TABLE_3, ids=str)
def test_a_collaborating_teacher_learns_from_the_distillation_a_frozen_one_does_not(options):
    system, data = make("vpn_a", **options), batch()
    terms = system.loss(system(data), data)
    assert ("teacher" in terms) == options["collaborative"]
    terms["distillation"].backward()
    taught = any(name.startswith("teacher.pose_backbone") for name in gradients(system))
    assert taught == options["collaborative"] and any(name.startswith("student.block") for name in gradients(system))


def test_a_detached_teacher_learns_from_its_own_loss_alone():
    for name in ("vpn_a", "vpn_pp"):
        whole, data = make(name, detach_teacher=True), batch()
        system = whole if name == "vpn_a" else whole.vpn_pp
        terms = system.loss(system(data), data)
        assert "teacher" in terms
        terms["distillation"].backward(retain_graph=True)
        moved = gradients(system)
        assert not any(name.startswith("teacher.") for name in moved) and "student.block.theta.weight" in moved
        terms["total"].backward()
        assert any(name.startswith("teacher.attention") for name in gradients(system))


def test_the_distillation_is_a_sum_over_cells_or_their_mean():
    data = batch()
    terms = []
    for reduction in ("sum", "mean"):
        system = make("vpn_a", reduction=reduction)
        terms.append(system.loss(system(data), data)["distillation"])
    torch.testing.assert_close(terms[0], 8 * terms[1])  # T'H'W'
    system, mean = make("vpn_f", distillation="mse", reduction="sum"), make("vpn_f", distillation="mse")
    mean.load_state_dict(system.state_dict())
    whole, part = (one.loss(one(data), data)["distillation"] for one in (system, mean))
    torch.testing.assert_close(whole, part * system(data).aux["features/teacher"].shape[1])


def test_the_students_block_starts_as_the_identity_or_not():
    data = batch()
    for gamma in (0.0, 1.0):
        torch.manual_seed(0)
        student = build("vpn_a", 5, **SIZES, block_gamma=gamma).student.eval()
        maps = student(data).maps
        assert torch.equal(maps["modulated"], maps["feature_map"]) == (gamma == 0)


def test_self_attention_can_be_made_uniform():
    student, data = make("vpn_a").student.eval(), batch()
    f = student(data).maps["feature_map"]
    value = student.block.g(f).flatten(2).mean(2)[:, :, None, None, None].expand(-1, -1, *f.shape[2:])
    with uniform_attention(student) as points:
        seen = student(data)
    assert points == 1
    torch.testing.assert_close(seen.maps["modulated"], f + student.block.W(value))
    assert not torch.allclose(seen.logits, student(data).logits)


@pytest.mark.parametrize(("name", "path"), [("vpn_a", ""), ("vpn_pp", "vpn_pp.")])
def test_the_teachers_rates_are_those_of_vpn_wherever_it_learns(name, path):
    numbers = {"optimizer": {"": {"name": "adam", "lr": 0.1}, "joint": {"lr": 0.1, "scale": {"attention": 20}}}}
    config = TrainConfig(system=name, preset={"base": "tiny", **numbers})
    stage = optim.adapt(build(name, 5, **SIZES).stages(), config)[-1]
    assert stage.optimizer == {"name": "adam", "lr": 0.1, "scale": {f"{path}teacher.attention": 20}}
    # What the configuration itself says comes last.
    own = config.model_copy(update={"optimizer": {"name": "sgd", "lr": 0.2}})
    assert optim.adapt(build(name, 5, **SIZES).stages(), own)[-1].optimizer == {"name": "sgd", "lr": 0.2}


def test_a_frozen_teacher_is_trained_as_vpn_is():
    *before, last = make("vpn_a", collaborative=False).stages()
    assert [(stage.name, stage.loss, stage.part) for stage in before] == [
        ("teacher/backbone", "backbone_loss", "teacher"),
        ("teacher/joint", "joint_loss", "teacher"),
    ]
    assert last.trains == ("student", "distillation")
    assert [stage.name for stage in make("vpn_a").stages()] == ["collaboration"]


# VPN++


@pytest.mark.parametrize("embedding", [False, True])
def test_vpn_pp_is_equation_3(embedding):
    system, data = make("vpn_pp", alpha=2.0, beta=3.0, embedding=embedding), batch(2)
    terms, whole = system.loss(system(data), data), system.vpn_pp
    student, star, pose = whole.student(data), whole.teacher(data), whole.pose_teacher(data)
    l_s, l_t = F.cross_entropy(student.logits, data.label), whole.teacher.loss(star, data)["total"]
    assert ("visual" in star.aux) == embedding
    e_f = whole.feature_distillation.student(student.maps["feature_map"].mean((2, 3, 4)))
    l_scd = contrast(pose.features, e_f, data.label, system.options)
    attention, e_a = star.maps["attention"].flatten(1), student.maps["affinity"].flatten(1)
    l_d = losses.attention_distillation(attention, whole.distillation.student(e_a))
    torch.testing.assert_close(terms["total"], l_s + l_t + 2 * l_scd + 3 * l_d)
    assert terms.keys() == {"total", "classification", "teacher", "distillation", "features"}


def test_two_in_turn_distil_one_level_each():
    data = batch(2)
    for combination, order in (
        ("f_then_a", ["features", "collaboration"]),
        ("a_then_f", ["collaboration", "features"]),
    ):
        system = make("vpn_pp", combination=combination)
        pose, *steps = system.stages()
        assert [stage.name for stage in (pose, *steps)] == [f"vpn_pp/{n}" for n in ("pose_teacher/pose", *order)]
        whole = system.vpn_pp
        output = whole(data)
        terms = {stage.name: getattr(whole, stage.loss)(output, data) for stage in steps}
        l_s = F.cross_entropy(output.logits, data.label)
        l_f, l_d = whole.loss(output, data)["features"], whole.loss(output, data)["distillation"]
        torch.testing.assert_close(terms["vpn_pp/features"]["total"], l_s + 50 * l_f)
        attention = terms["vpn_pp/collaboration"]
        torch.testing.assert_close(attention["total"], l_s + attention["teacher"] + 50 * l_d)


def test_two_students_are_joined_by_their_scores():
    system, data = make("vpn_pp", combination="late_fusion").eval(), batch()
    scores = [member(data).logits.softmax(1) for member in (system.vpn_f, system.vpn_a)]
    torch.testing.assert_close(system(data).logits.softmax(1), sum(scores) / 2)
    assert [stage.part for stage in system.stages()] == ["vpn_f.teacher", "vpn_f", "vpn_a"]


@pytest.mark.parametrize("name", ["vpn_pp", "vfn_pp"])
def test_logits_can_be_added_instead(name):
    option, stream = {"vpn_pp": ("with_pose", "pose"), "vfn_pp": ("with_flow", "flow")}[name]
    system, data = make(name, combine="logit_sum", **{option: True}).eval(), batch(2)
    student = system.get_submodule("vpn_pp" if name == "vpn_pp" else "student")(data)
    torch.testing.assert_close(system(data).logits, student.logits + system.teach(data)[stream].logits)


def test_streams_join_in_evaluation():
    data = batch(2)
    for name, options, paths, needs in (
        ("vpn_pp", {"with_pose": True}, ["vpn_pp", "vpn_pp.pose_teacher"], {"video", "pose"}),
        ("vfn_pp", {"with_flow": True}, ["student", "teacher"], {"video", "flow"}),
        (
            "vpfn_pp",
            {"with_pose": True, "with_flow": True},
            ["vpn_pp", "vfn_pp", "vpn_pp.pose_teacher", "vfn_pp.teacher"],
            {"video", "pose", "flow"},
        ),
    ):
        system = make(name, **options).eval()
        assert system.needs_test == needs
        logits = [system.get_submodule(path)(data).logits for path in paths]
        mean = torch.stack([one.softmax(1) for one in logits]).mean(0)
        torch.testing.assert_close(system(data).logits.softmax(1), mean)
        missing = {"vpn_pp": "pose", "vpfn_pp": "pose", "vfn_pp": "flow"}[name]
        with pytest.raises(ValueError, match=f"reads batch.{missing}, which this batch doesn't have"):
            system(data.replace(**{missing: None}))


# All


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=str)
def test_each_stage_trains_its_part_and_no_other(name, options):
    system, data = make(name, **options), batch()
    assert system.stages()
    for stage in system.stages():
        optim.freeze(system, stage)
        trained = {name for name, p in system.named_parameters() if p.requires_grad}
        for module in (system, system.get_submodule(stage.part)):
            optim.train_mode(module)
            system.zero_grad()
            total = getattr(module, stage.loss)(module(data), data)["total"]
            total.backward()
            assert total.isfinite() and all(p.grad.isfinite().all() for p in system.parameters() if p.grad is not None)
            assert gradients(system) == trained, (stage.name, sorted(gradients(system) ^ trained)[:5])


@pytest.mark.parametrize(("name", "options"), BLIND, ids=str)
def test_at_test_time_only_the_video_is_read_and_no_teacher_is_asked(name, options):
    system, data = make(name, **options).eval(), batch()
    teachers = [module for path, module in system.named_modules() if path.endswith("teacher")]
    assert teachers and system.needs_test == {"video"}

    def refuse(module, inputs):
        raise AssertionError(f"{type(module).__name__} was asked")

    for module in teachers:
        module.register_forward_pre_hook(refuse)
    bare = system(Batch(video=data.video))
    nonsense = torch.full_like(data.pose, float("nan"))
    for other in (data, data.replace(pose=nonsense, flow=nonsense), data.replace(pose=1e9 * data.pose)):
        output = system(other)
        assert torch.equal(output.logits, bare.logits) and torch.equal(output.features, bare.features)
        assert output.maps.keys() == bare.maps.keys() and not any(key.startswith("teacher") for key in output.maps)
    terms = system.loss(bare, Batch(label=data.label))
    assert terms["total"].isfinite()
    with pytest.raises(AssertionError, match="was asked"):
        system.train()(data)


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=str)
def test_teachers_can_be_asked_at_any_time(name, options):
    system, data = make(name, **options), batch()
    maps = {key for key in system(data).maps if key.startswith("teacher/")}
    system.eval()
    taught = system.teach(data)
    assert maps == {f"teacher/{key}" for teacher in taught.values() for key in teacher.maps}
    compared = system.compare(system(data), taught)
    assert compared and all(value.shape[0] == 4 and value.isfinite().all() for value in compared.values())
    for key, value in compared.items():
        if key.endswith("/teacher"):
            assert value.shape == compared[key.replace("/teacher", "/student")].shape


def test_what_a_student_is_compared_in_is_what_it_reads_before_attention():
    system, data = make("vpn_pp").eval(), batch()
    output = system.vpn_pp(data)
    torch.testing.assert_close(f_s(output), system.vpn_pp.student.backbone(data.video).mean((2, 3, 4)))
    assert not torch.allclose(f_s(output), output.features)


def test_another_size_of_clips_can_be_classified_but_not_taught():
    system, data = make("vpn_a"), batch(side=64)
    assert system.eval()(data).logits.isfinite().all()
    with pytest.raises(ValueError, match="attention has 256 weights a clip, this system was built for 16"):
        system.train()(data)


@pytest.mark.parametrize(
    "sizes", [{}, {"clip": (16, 96, 96), "width": 0.25, "output_stride": (4, 16, 16)}], ids=["paper", "tiny"]
)
def test_vpn_pp_costs_little_more_than_its_backbone_at_test_time(sizes):
    def multiplications(name: str) -> int:
        system = build(name, 60, **sizes).eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            system(Batch(video=torch.empty(1, 3, *sizes.get("clip", (64, 224, 224)))))
        return counter.get_total_flops()

    with FakeTensorMode():
        rgb, vpn_f, vpn_pp = (multiplications(name) for name in ("rgb", "vpn_f", "vpn_pp"))
    assert vpn_f == rgb < vpn_pp <= 1.3 * rgb


def test_students_have_the_papers_size():
    """Table 11: 12M for VPN-F and 14M for VPN++, the classes of Smarthome."""
    with FakeTensorMode():
        vpn_f, vpn_pp = build("vpn_f", 31).student, build("vpn_pp", 31).vpn_pp.student
    count = [round(sum(p.numel() for p in student.parameters()) / 1e6) for student in (vpn_f, vpn_pp)]
    assert count == [12, 14]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("vpn_f", {"temperature": 0}, "temperature must be above 0, got 0"),
        ("vpn_f", {"dataset_size": 0}, "dataset_size must be a whole number >= 1, got 0"),
        ("vpn_f", {"distillation": "kl"}, "distillation must be one of 'scd', 'crd', 'mse', got 'kl'"),
        ("vpn_a", {"distillation": "crd"}, "distillation must be one of 'mse', 'scd', got 'crd'"),
        ("vpn_pp", {"combination": "sum"}, "combination must be one of 'multi_teacher', .*, got 'sum'"),
        ("vfn_pp", {"teacher": "pose"}, "teacher must be one of 'flow', got 'pose'"),
    ],
)
def test_options_are_refused_by_name(name, options, message):
    with pytest.raises(ValueError, match=message):
        build(name, 5, **SIZES, **options)
