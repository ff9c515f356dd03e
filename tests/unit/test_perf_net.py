"""PERF-Net and MARS: losses against numbers worked out by hand, who is trained when, and what is read at test time."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from workbench import losses
from workbench.media import flow, rendering
from workbench.study.train import optim
from workbench.systems.common.building import Setting, assemble, variants
from workbench.systems.perfnet.perf_net import PerfNet
from workbench.systems.perfnet.perf_stream import PerfStream
from workbench.systems.vpnpp.mars import MARS
from workbench.types import Batch, Skeleton

T = torch.tensor
SETTING = Setting(5, Skeleton.named("kinect_v2"), (8, 32, 32), 6, "i3d", 0.125, (4, 16, 16))
DISTILLED = [(PerfNet, {}), (PerfNet, {"loss": "unified"}), (PerfNet, {"teachers": ["rgb"]}), (MARS, {})]
VARIANTS = [
    *DISTILLED,
    *((PerfStream, {"stream": stream}) for stream in ("rgb", "flow", "pose")),
    (PerfNet, {"loss": "none"}),
    (PerfNet, {"from_scratch": True, "teachers": ["pose"]}),
    (PerfNet, {"combine": "logit_sum"}),
    (PerfNet, {"combine": "logit_sum", "teachers": ["rgb"], "from_scratch": True}),
    (MARS, {"combine": "rgb", "from_scratch": False}),
    (MARS, {"combine": "rgb+flow"}),
]


def make(kind, seed: int = 0, **options):
    """A system whose untrained backbones, too, give features that differ from zero."""
    torch.manual_seed(seed)
    system = assemble(kind, SETTING, **options)
    for module in system.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.momentum = 1.0
    with torch.no_grad():
        assert system.train()(batch(seed=1)).features.abs().mean() > 0.1
    return system


def batch(count: int = 4, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)

    def pictures(channels: int) -> torch.Tensor:
        return torch.rand(count, channels, 8, 32, 32, generator=generator) * 2 - 1

    return Batch(video=pictures(3), flow=pictures(2), rendered=pictures(3), label=torch.arange(count) % 5)


# Losses


def test_separate_loss_is_a_distance_to_each_teacher():
    student, flow, pose = T([[1.0, 0.0], [0.0, 2.0]]), T([[3.0, 0.0], [0.0, 2.0]]), T([[1.0, 4.0], [2.0, 2.0]])
    # Squares: 4, 0, 0, 0 and 0, 16, 4, 0, each over two clips of two classes.
    assert losses.logit_mse(student, [flow, pose]).item() == 1 + 5
    assert losses.logit_mse(student, [flow]).item() == 1


def test_unified_loss_is_the_distance_to_the_sum_of_teachers():
    student, flow, pose = T([[1.0, 0.0], [0.0, 2.0]]), T([[3.0, 0.0], [0.0, 2.0]]), T([[1.0, 4.0], [2.0, 2.0]])
    # Sum 4, 4, 2, 4; squares 9, 16, 4, 4.
    assert losses.logit_mse(student, [flow, pose], unified=True).item() == 33 / 4
    assert losses.logit_mse(flow + pose, [flow, pose], unified=True).item() == 0
    one = losses.logit_mse(student, [pose]), losses.logit_mse(student, [pose], unified=True)
    assert one[0] == one[1] == 5


def test_a_sum_counts_alike_for_any_number_of_classes():
    student, flow, pose = T([[1.0, 0.0], [0.0, 2.0]]), T([[3.0, 0.0], [0.0, 2.0]]), T([[1.0, 4.0], [2.0, 2.0]])
    assert losses.logit_mse(student, [flow, pose], reduction="sum").item() == 4 / 2 + 20 / 2
    assert losses.logit_mse(student, [flow, pose], unified=True, reduction="sum").item() == 33 / 2
    for unified in (False, True):  # 98 more classes, of which all say the same
        wide = [F.pad(logits, (0, 98)) for logits in (student, flow, pose)]
        plain, summed = (
            [losses.logit_mse(s, [a, b], unified, how).item() for s, a, b in ((student, flow, pose), wide)]
            for how in ("mean", "sum")
        )
        assert summed[0] == summed[1] and plain[0] == pytest.approx(50 * plain[1])
    system, data = make(PerfNet, dropout=0.0, reduction="sum"), batch()
    output = system(data)
    expected = sum((output.logits - logits).square().sum(1).mean() for logits in output.aux.values())
    torch.testing.assert_close(system.loss(output, data)["distillation"], expected)
    with pytest.raises(ValueError, match="logit_mse: reduction must be one of mean, sum, got 'max'"):
        losses.logit_mse(student, [flow], reduction="max")


def test_the_student_settles_on_the_mean_or_on_the_sum_of_its_teachers():
    """Separate terms pull S to the mean of T_i, the unified one to their sum."""
    teachers = [T([[3.0, -1.0]]), T([[1.0, 5.0]])]
    for unified, rest in ((False, T([[2.0, 2.0]])), (True, T([[4.0, 4.0]]))):
        student = rest.clone().requires_grad_()
        losses.logit_mse(student, teachers, unified).backward()
        assert student.grad.eq(0).all()


def test_mars_is_a_mean_of_squares():
    assert losses.mars(T([[1.0, 2.0], [0.0, 0.0]]), T([[0.0, 4.0], [3.0, 0.0]])).item() == (1 + 4 + 9 + 0) / 4


def test_teachers_get_no_gradient():
    student, teacher = (torch.randn(3, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
    for loss in (losses.logit_mse(student, [teacher]), losses.mars(student, teacher)):
        loss.backward()
    assert teacher.grad is None and student.grad.ne(0).all()
    frozen = teacher.detach()
    assert torch.autograd.gradcheck(lambda s: losses.logit_mse(s, [frozen, -frozen]), student)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: losses.logit_mse(torch.zeros(2, 3), []), "one or more teachers, got none"),
        (lambda: losses.logit_mse(torch.zeros(2, 3), [torch.zeros(2, 1)]), r"logit_mse: .* got \[2, 1\] and \[2, 3\]"),
        (lambda: losses.mars(torch.zeros(2, 3), torch.zeros(3)), r"mars: .* got \[3\] and \[2, 3\]"),
    ],
)
def test_losses_refuse_other_shapes(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Forward and loss


@pytest.mark.parametrize(("stream", "field"), [("rgb", "video"), ("flow", "flow"), ("pose", "rendered")])
def test_a_stream_reads_its_pictures_alone(stream, field):
    system, data = make(PerfStream, stream=stream).eval(), batch()
    assert system.needs_test == {field} and system.needs_train == {field, "label"}
    output = system(Batch(**{field: getattr(data, field)}))
    f = system.backbone(getattr(data, field))
    torch.testing.assert_close(output.maps["feature_map"], f)
    torch.testing.assert_close(output.logits, system.classifier(f.mean((2, 3, 4))))
    expected = F.cross_entropy(output.logits, data.label)
    assert system.loss(output, data)["total"] == expected
    with pytest.raises(ValueError, match=f"PerfStream reads batch.{field}"):
        system(data.replace(**{field: None}))


@pytest.mark.parametrize("loss", ["separate", "unified"])
def test_loss_is_equation_1(loss):
    system, data = make(PerfNet, loss=loss, dropout=0.0), batch()
    output = system(data)
    terms = system.loss(output, data)
    s, flow, pose = (
        stream(data).logits for stream in (system.student, system.teachers["flow"], system.teachers["pose"])
    )
    l_c = F.cross_entropy(s, data.label)
    separate = (s - flow).square().mean() + (s - pose).square().mean()
    l_d = separate if loss == "separate" else (s - flow - pose).square().mean()
    torch.testing.assert_close(terms["classification"], l_c)
    torch.testing.assert_close(terms["distillation"], l_d)
    torch.testing.assert_close(terms["total"], l_c + l_d)


def test_mars_adds_fifty_times_the_distance_of_features():
    system, data = make(MARS), batch()
    terms = system.loss(system(data), data)
    student, teacher = system.student(data), system.teacher(data)
    l_c, l_d = F.cross_entropy(student.logits, data.label), (student.features - teacher.features).square().mean()
    torch.testing.assert_close(terms["total"], l_c + 50 * l_d)
    assert terms["distillation"] > 0


@pytest.mark.parametrize("teachers", [("rgb",), ("flow",), ("pose",), ("flow", "pose")])
def test_late_fusion_adds_logits(teachers):
    system, data = make(PerfNet, combine="logit_sum", teachers=teachers).eval(), batch()
    output = system(data)
    streams = [system.student(data), *system.teach(data).values()]
    torch.testing.assert_close(output.logits, sum(stream.logits for stream in streams))
    torch.testing.assert_close(output.features, torch.cat([stream.features for stream in streams], dim=1))
    assert set(system.teach(data)) == set(teachers)


def test_the_control_is_two_different_rgb_networks():
    system, data = make(PerfNet, combine="logit_sum", teachers=["rgb"]).eval(), batch()
    first, second = system.student(data).logits, system.teachers["rgb"](data).logits
    assert not torch.allclose(first, second, atol=1e-3)
    assert system.needs_test == {"video"}


@pytest.mark.parametrize("combine", ["none", "rgb", "flow", "rgb+flow"])
def test_mars_fuses_what_it_is_combined_with(combine):
    system, data = make(MARS, combine=combine).eval(), batch()
    expected = system.student(data).logits
    if "rgb" in combine:
        expected = expected + system.rgb(data).logits
    if "flow" in combine:
        expected = expected + system.teach(data)["flow"].logits
    torch.testing.assert_close(system(data).logits, expected)
    assert system.needs_test == ({"video", "flow"} if "flow" in combine else {"video"})


@pytest.mark.parametrize(("kind", "options"), DISTILLED, ids=str)
def test_teachers_show_their_feature_maps_in_training(kind, options):
    system, data = make(kind, **options), batch()
    maps = system(data).maps
    for name, teacher in system.teach(data).items():
        torch.testing.assert_close(maps[f"teacher/{name}"], teacher.maps["feature_map"])
    assert set(system.eval()(data).maps) == {"feature_map"}


# Stages


@pytest.mark.parametrize(("kind", "options"), VARIANTS, ids=str)
def test_each_stage_trains_what_it_says(kind, options):
    """The loss of the whole's output, and that of the part alone, reach exactly what the stage trains."""
    system, data = make(kind, **options), batch()
    for stage in system.stages():
        optim.freeze(system, stage)
        asked = {name for name, parameter in system.named_parameters() if parameter.requires_grad}
        assert asked and all(name.startswith(stage.trains) for name in asked)
        for module in dict.fromkeys([system, system.get_submodule(stage.part)]):
            system.zero_grad()
            optim.train_mode(system)
            terms = getattr(module, stage.loss)(module(data), data)
            terms["total"].backward()
            reached = {name for name, p in system.named_parameters() if p.grad is not None and p.grad.any()}
            assert reached == asked, stage
            assert all(p.grad.isfinite().all() for p in system.parameters() if p.grad is not None)


def test_a_streams_own_stage_follows_the_labels_alone():
    """Through the whole or by itself, a stage before the last gives a stream the gradient of its cross-entropy."""
    system, data = make(PerfNet, dropout=0.0), batch()
    stage = next(stage for stage in system.stages() if stage.name == "teachers.flow/backbone")
    optim.freeze(system, stage)
    teacher = system.get_submodule(stage.part)
    whole = torch.autograd.grad(getattr(system, stage.loss)(system(data), data)["total"], teacher.classifier.weight)
    alone = torch.autograd.grad(F.cross_entropy(teacher(data).logits, data.label), teacher.classifier.weight)
    torch.testing.assert_close(whole[0], alone[0])


def test_stages_are_streams_then_the_student():
    def names(kind, **options):
        return [stage.name for stage in assemble(kind, SETTING, **options).stages()]

    streams = ["student/backbone", "teachers.flow/backbone", "teachers.pose/backbone"]
    assert names(PerfNet) == [*streams, "distillation"]
    assert names(PerfNet, from_scratch=True) == [*streams[1:], "distillation"]
    assert names(PerfNet, combine="logit_sum") == names(PerfNet, combine="logit_sum", from_scratch=True) == streams
    assert names(PerfNet, loss="none") == ["student/backbone", "finetune"]
    assert names(PerfNet, loss="none", from_scratch=True) == ["finetune"]
    assert names(MARS) == ["teacher/backbone", "distillation"]
    assert names(MARS, from_scratch=False) == ["teacher/backbone", "student/backbone", "distillation"]
    assert names(MARS, combine="rgb") == ["teacher/backbone", "rgb/backbone", "distillation"]


def test_published_numbers():
    stage = assemble(PerfNet, SETTING).stages()[-1]
    assert stage.optimizer == {"name": "sgd", "lr": 0.0125, "momentum": 0.9, "weight_decay": 1e-4}
    assert (stage.schedule["name"], stage.epochs, stage.freezes) == ("cosine", 90, ("teachers",))
    assert (PerfNet.default_backbone, PerfStream.default_backbone) == ("r3d50g", "r3d50g")
    assert PerfNet.Options().teachers == ("flow", "pose") and MARS.Options().alpha == 50


@pytest.mark.parametrize(
    ("kind", "backbone"), [(PerfNet, "r3d50g"), (PerfNet, "s3dg"), (MARS, "resnext3d101")], ids=str
)
def test_published_backbones(kind, backbone):
    """A step of the last stage reaches the whole student, whatever the backbone."""
    assert kind.default_backbone in ("r3d50g", "resnext3d101")
    torch.manual_seed(0)
    system, data = assemble(kind, replace(SETTING, backbone=backbone)), batch(count=2)
    optim.freeze(system, system.stages()[-1])
    optim.train_mode(system)
    system.loss(system(data), data)["total"].backward()
    for name, parameter in system.named_parameters():
        assert (parameter.grad is not None) == name.startswith("student."), name
        assert parameter.grad is None or parameter.grad.isfinite().all()
    assert system.eval()(data).maps["feature_map"].shape[1] == system.student.backbone.channels


def test_options_of_the_pictures_are_those_of_media():
    """Their names and values reach media through the clip's specification; the default is table 2's best row."""
    drawing = ("background", "marker", "colors", "ratio_aware")
    for kind in (PerfStream, PerfNet):
        table = variants(kind.Options)
        assert {name: set(table[name].valid) for name in rendering.OPTIONS} == {
            name: set(values) for name, values in rendering.OPTIONS.items()
        }
        assert [table[name].default for name in drawing] == ["frame", "bar", "fine", True]
        assert set(drawing) < set(inspect.signature(rendering.draw).parameters)
    for kind in (PerfNet, MARS):
        assert set(variants(kind.Options)["flow_method"].valid) == set(flow.METHODS)


@pytest.mark.parametrize(
    ("kind", "options"), [(PerfNet, {"teachers": ["pose"]}), (PerfNet, {"loss": "unified"}), (MARS, {})], ids=str
)
def test_the_student_learns_from_its_teachers(kind, options):
    """A few steps of the last stage bring the student closer to what its frozen teachers say."""
    system, data = make(kind, dropout=0.0, **options), batch()
    optim.freeze(system, system.stages()[-1])
    optim.train_mode(system)
    before = {name: value.clone() for name, value in system.state_dict().items() if name.startswith("teacher")}
    optimizer = torch.optim.Adam([p for p in system.parameters() if p.requires_grad], lr=1e-2)
    distances = []
    for _ in range(12):
        optimizer.zero_grad()
        terms = system.loss(system(data), data)
        terms["total"].backward()
        optimizer.step()
        distances.append(terms["distillation"].item())
    assert distances[-1] < 0.9 * distances[0]
    after = system.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


# At test time


@pytest.mark.parametrize(("kind", "options"), DISTILLED, ids=str)
def test_a_student_reads_only_video(kind, options):
    """No teacher runs, and flow and drawn poses that are nonsense, or not there, change nothing."""
    system, data = make(kind, **options).eval(), batch()
    asked = []
    for name, module in system.named_modules():
        if name.startswith("teacher"):
            module.register_forward_hook(lambda *_, name=name: asked.append(name))
    assert system.needs_test == {"video"}
    plain = system(Batch(video=data.video, label=data.label))
    nonsense = torch.full_like(data.flow, torch.nan), torch.full_like(data.rendered, torch.nan)
    spoilt = system(data.replace(flow=nonsense[0], rendered=nonsense[1]))
    assert not asked and torch.equal(plain.logits, spoilt.logits) and plain.logits.isfinite().all()
    assert torch.equal(plain.logits, system.student(data).logits)
    # Validation has no more than this, and sees the classification alone.
    assert set(system.loss(plain, data)) == {"total", "classification"}
    system.train()(data)
    assert asked


@pytest.mark.parametrize(("kind", "options"), VARIANTS, ids=str)
def test_needs_are_what_is_read(kind, options):
    system, data = make(kind, **options), batch()
    assert system.needs_train <= kind.needs_train and system.needs_test <= kind.needs_test
    for training, needs in ((True, system.needs_train), (False, system.needs_test | {"label"})):
        bare = Batch(**{field: getattr(data, field) for field in needs})
        system.train(training)
        assert system.loss(system(bare), bare)["total"].isfinite()
        for field in needs - {"label"}:
            with pytest.raises(ValueError, match=f"reads batch.{field}, which this batch doesn't have"):
                system(bare.replace(**{field: None}))


@pytest.mark.parametrize(("kind", "options"), [*DISTILLED, (PerfNet, {"combine": "logit_sum"})], ids=str)
def test_clips_of_a_batch_do_not_mix(kind, options):
    system, data = make(kind, **options).eval(), batch()
    order = T([2, 0, 3, 1])
    moved = Batch(video=data.video[order], flow=data.flow[order], rendered=data.rendered[order])
    torch.testing.assert_close(system(moved).logits, system(data).logits[order])


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (PerfNet, {"teachers": ["flow", "flow"]}, "teachers must differ from each other, got flow, flow"),
        (PerfNet, {"teachers": []}, "teachers must be a list of one or more values"),
        (PerfNet, {"teachers": ["depth"]}, "teachers must be one of 'flow', 'pose', 'rgb'"),
        (PerfNet, {"loss": "both"}, "loss must be one of 'separate', 'unified', 'none', got 'both'"),
        (PerfStream, {"stream": "audio"}, "stream must be one of 'rgb', 'flow', 'pose', got 'audio'"),
        (PerfStream, {"colors": "13"}, "colors must be one of 'fine', 'coarse', got '13'"),
        (MARS, {"combine": "pose"}, "combine must be one of 'none', 'rgb', 'flow', 'rgb\\+flow', got 'pose'"),
    ],
)
def test_wrong_options_are_named(kind, options, message):
    with pytest.raises(ValueError, match=message):
        assemble(kind, SETTING, **options)
