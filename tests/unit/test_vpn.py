"""VPN, equation by equation, against numbers worked out by hand."""

from __future__ import annotations

from math import sqrt

import pytest
import torch
import torch.nn.functional as F

from workbench import losses
from workbench.nets import uniform_attention
from workbench.nets.pose.gcn import PoseGCN, adjacency, normalize
from workbench.study.train.optim import freeze, train_mode
from workbench.systems import build, names, variants
from workbench.systems.common.building import Setting, assemble
from workbench.systems.vpn.vpn import EMBEDDINGS, AttentionNetwork, PoseNorm, Scores
from workbench.systems.vpnpp.vpn_a import VPNStar
from workbench.types import Batch, Skeleton

SIZES = {"clip": (8, 32, 32), "width": 0.125, "output_stride": (4, 16, 16), "poses": 6}  # t_c = m = n = 2
CHAIN = Skeleton("chain", ("a", "b", "c"), ((1, 0), (2, 1)), (), (0,), (1,), (0, 2), (0, 2))
VARIANTS = [
    {},
    {"coupler": False},
    {"temporal": False},
    {"pose_backbone": "lstm", "lstm_hidden": 16},
    {"pose_backbone": "lstm", "lstm_hidden": 16, "lstm_residual": True, "coupler": False},
    {"far_pairs": "selected", "pose_pooling": 1, "normalize_pose": False},
    *({"embedding": name} for name in (*EMBEDDINGS, "none")),
]


def vpn(seed: int = 0, **options):
    torch.manual_seed(seed)
    return build("vpn", 5, **SIZES, **options)


def batch(count: int = 4, side: int = 32, persons: int = 1, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return Batch(
        video=torch.rand(count, 3, 8, side, side, generator=generator) * 2 - 1,
        pose=torch.randn(count, persons, 6, 25, 3, generator=generator),
        label=torch.arange(count) % 5,
    )


def unequal(system):
    """Attention scores begin equal, and an untrained backbone's features next to zero; this gives both something to
    say."""
    torch.manual_seed(1)
    for name, module in system.named_modules():
        if name.startswith("attention") and name.endswith("score"):
            torch.nn.init.normal_(module.weight, std=0.3)
        if isinstance(module, torch.nn.BatchNorm3d):
            module.momentum = 1.0
    with torch.no_grad():
        features = system(batch(seed=1)).maps["feature_map"]
    assert features.abs().mean() > 0.1
    return system


# Pose backbone, eq. 1


def test_adjacency_of_a_chain():
    e = adjacency(CHAIN, alpha=5, beta=2)
    assert e.tolist() == [[0, 5, 2], [5, 0, 5], [2, 5, 0]]
    # Row sums of E + I are 8, 11, 8.
    expected = [[1 / 8, 5 / sqrt(88), 2 / 8], [5 / sqrt(88), 1 / 11, 5 / sqrt(88)], [2 / 8, 5 / sqrt(88), 1 / 8]]
    torch.testing.assert_close(normalize(e), torch.tensor(expected))


def test_selected_far_pairs_are_six():
    e = adjacency(Skeleton.named("kinect_v2"), far_pairs="selected")
    assert ((e == 5).sum() / 2, (e == 2).sum() / 2) == (24, 6)
    hand_right, ankle_right, elbow_left, knee_left, head = 11, 18, 5, 13, 3
    assert e[hand_right, ankle_right] == e[ankle_right, hand_right] == e[elbow_left, knee_left] == 2
    assert e[head, hand_right] == 0


@pytest.mark.parametrize("name", ["kinect_v2", "kinect_v1", "lcrnet_13", "lcrnet_15", "smarthome_17"])
def test_every_skeleton_has_its_graph(name):
    skeleton = Skeleton.named(name)
    for far_pairs in ("all", "selected"):
        e = adjacency(skeleton, far_pairs=far_pairs)
        assert torch.equal(e, e.T) and e.diagonal().eq(0).all()
        assert (e == 5).sum() == 2 * len(skeleton.bones)


def test_graph_convolution_by_hand():
    torch.manual_seed(0)
    gcn, pose = PoseGCN(CHAIN, poses=2), torch.randn(1, 2, 3, 3)
    expected = torch.zeros(1, 2, 3, 64)
    for t in range(2):
        for i in range(3):
            for j in range(3):
                expected[0, t, i] += gcn.graph[i, j] * (pose[0, t, j] @ gcn.weight[t])
    torch.testing.assert_close(gcn.graph_convolution(pose), expected)


def test_each_pose_has_weights_of_its_own():
    torch.manual_seed(0)
    gcn, pose = PoseGCN(CHAIN, poses=3), torch.randn(1, 1, 3, 3).expand(1, 3, 3, 3)
    before = gcn.graph_convolution(pose)
    gcn.weight.data[1] += 1
    assert (gcn.graph_convolution(pose) != before).flatten(2).any(2).tolist() == [[False, True, False]]


def test_residual_and_convolutions_are_64_64_128():
    gcn = PoseGCN(CHAIN, poses=4, pooling=1)
    convolutions = [(c[0].in_channels, c[0].out_channels, c[0].kernel_size) for c in (gcn.conv1, gcn.conv2, gcn.conv3)]
    assert convolutions == [(67, 64, (3, 3)), (64, 64, (3, 3)), (64, 128, (3, 3))]
    h, joints = gcn(torch.randn(2, 1, 4, 3, 3))
    assert h.shape == (2, gcn.features) == (2, 128 * 4 * 3)
    torch.testing.assert_close(joints, h.view(2, 128, 4, 3).mean(1))
    # The residual: without the graph convolution the poses still get through.
    gcn.weight.data.zero_()
    assert not torch.equal(gcn(torch.randn(2, 1, 4, 3, 3))[0], gcn(torch.zeros(2, 1, 4, 3, 3))[0])


def test_pooling_makes_features_compact():
    torch.manual_seed(0)
    plain, pooled = PoseGCN(CHAIN, poses=6, pooling=1).eval(), PoseGCN(CHAIN, poses=6, pooling=4).eval()
    pooled.load_state_dict(plain.state_dict())
    pose = torch.randn(2, 1, 6, 3, 3)
    h = plain(pose)[0].view(2, 128, 6, 3)
    expected = torch.stack([h[:, :, :4].amax((2, 3)), h[:, :, 4:].amax((2, 3))], dim=2)
    torch.testing.assert_close(pooled(pose)[0].view(2, 128, 2), expected)
    assert pooled.features == 256


# Attention and modulation, eq. 2


def test_scores_by_hand():
    scores = Scores(2, 1, 2)
    scores.hidden.weight.data, scores.hidden.bias.data = torch.tensor([[1.0, -1.0]]), torch.tensor([0.5])
    scores.score.weight.data, scores.score.bias.data = torch.tensor([[2.0], [-3.0]]), torch.tensor([0.0, 1.0])
    tanh = torch.tanh(torch.tensor(1.5))
    torch.testing.assert_close(scores(torch.tensor([[2.0, 1.0]])), torch.stack([2 * tanh, 1 - 3 * tanh])[None])


def test_attention_begins_equal():
    maps = vpn()(batch()).maps
    assert maps["spatial"].eq(0.5).all() and maps["temporal"].eq(0.5).all() and maps["attention"].eq(0.25).all()
    assert maps["attention"].shape == (4, 2, 2, 2)


def test_weights_are_a_sigmoid_and_a_softmax():
    system = unequal(vpn()).eval()
    data = batch()
    maps = system(data).maps
    h = system.attention.norm(system.pose_backbone(data.pose)[0])
    z1, z2 = system.attention.spatial(h), system.attention.temporal(h)
    torch.testing.assert_close(maps["spatial"].flatten(1), 1 / (1 + (-z1).exp()))
    torch.testing.assert_close(maps["temporal"], z2.exp() / z2.exp().sum(1, keepdim=True))
    assert maps["spatial"].std() > 0.01 and maps["temporal"].std() > 0.01


def test_what_clips_have_in_common_does_not_saturate_the_attention():
    torch.manual_seed(0)
    h = 50 + torch.randn(8, 40)
    for with_norm, varies in ((True, True), (False, False)):
        network = AttentionNetwork(40, (2, 2, 2), 16, True, with_norm)
        hidden = torch.tanh(network.spatial.hidden(network.norm(h)))
        assert (hidden.std(0).median() > 0.1) == varies


def test_a_batch_of_one_is_normalised_by_the_running_statistics():
    norm, h = PoseNorm(3, affine=False), torch.tensor([[1.0, 2.0, 3.0]])
    norm.running_mean, norm.running_var = torch.tensor([1.0, 0.0, 5.0]), torch.tensor([4.0, 4.0, 4.0])
    for mode in (True, False):
        torch.testing.assert_close(norm.train(mode)(h), torch.tensor([[0.0, 1.0, -1.0]]), rtol=1e-4, atol=1e-4)
    assert norm.running_mean.tolist() == [1, 0, 5]
    system, data = vpn(), batch(count=2)
    single = data.replace(video=data.video[:1], pose=data.pose[:1], label=data.label[:1])
    assert system.loss(system(single), single)["total"].isfinite()


F_MAP = torch.arange(1.0, 9.0).view(1, 1, 2, 2, 2)
A_S, A_T = torch.tensor([[[0.5, 1.0], [0.0, 0.2]]]), torch.tensor([[0.25, 0.75]])


def test_coupler_by_hand():
    modulated, maps = vpn().modulate(F_MAP, {"spatial": A_S, "temporal": A_T})
    a_st = torch.tensor([0.125, 0.25, 0, 0.05, 0.375, 0.75, 0, 0.15])
    torch.testing.assert_close(maps["attention"].flatten(), a_st)
    torch.testing.assert_close(modulated.flatten(), torch.arange(1.0, 9.0) * (a_st + 1))


def test_dissociated_streams_by_hand():
    modulated, maps = vpn(coupler=False).modulate(F_MAP, {"spatial": A_S, "temporal": A_T})
    assert set(maps) == {"spatial", "temporal"}
    torch.testing.assert_close(modulated[0, 0].flatten(), torch.tensor([0.5, 2, 0, 0.8, 2.5, 6, 0, 1.6]))
    torch.testing.assert_close(modulated[0, 1].flatten(), torch.tensor([0.25, 0.5, 0.75, 1, 3.75, 4.5, 5.25, 6]))


def test_spatial_attention_alone_by_hand():
    modulated, maps = vpn(temporal=False).modulate(F_MAP, {"spatial": A_S})
    assert set(maps) == {"spatial", "attention"} and torch.equal(maps["attention"][0, 0], maps["attention"][0, 1])
    torch.testing.assert_close(modulated.flatten(), torch.tensor([1.5, 4, 3, 4.8, 7.5, 12, 7, 9.6]))


@pytest.mark.parametrize("options", [{}, {"coupler": False}], ids=str)
def test_forward_classifies_the_pooled_modulated_map(options):
    system, data = unequal(vpn(**options)).eval(), batch()
    output = system(data)
    f = system.backbone(data.video)
    modulated, _ = system.modulate(f, {name: output.maps[name] for name in ("spatial", "temporal")})
    torch.testing.assert_close(output.maps["modulated"], modulated)
    torch.testing.assert_close(output.features, modulated.mean((2, 3, 4)))
    torch.testing.assert_close(output.logits, system.classifier(output.features))
    torch.testing.assert_close(output.maps["feature_map"], f)


@pytest.mark.parametrize(
    ("how", "weights"),  # what each of the cells 1 to 8 is multiplied by; A_ST is 0.125, 0.25, 0, 0.05, 0.375, ...
    [
        ("gated", [0.125, 0.25, 0, 0.05, 0.375, 0.75, 0, 0.15]),
        ("mean", [w / 0.2125 for w in (0.125, 0.25, 0, 0.05, 0.375, 0.75, 0, 0.15)]),
    ],
)
def test_other_readings_of_the_coupler_by_hand(how, weights):
    modulated, _ = vpn(modulation=how).modulate(F_MAP, {"spatial": A_S, "temporal": A_T})
    torch.testing.assert_close(modulated.flatten(), torch.arange(1.0, 9.0) * torch.tensor(weights))
    both, _ = vpn(modulation="both").modulate(F_MAP, {"spatial": A_S, "temporal": A_T})
    mean, _ = vpn(modulation="mean").modulate(F_MAP, {"spatial": A_S, "temporal": A_T})
    assert torch.equal(both[:, :1], mean) and torch.equal(both[:, 1:], F_MAP)


def test_other_readings_of_dissociated_streams_by_hand():
    weights = {"spatial": A_S, "temporal": A_T}
    modulated, _ = vpn(coupler=False, modulation="mean").modulate(F_MAP, weights)
    by_place, by_moment = torch.tensor([0.5, 1, 0, 0.2, 0.5, 1, 0, 0.2]) / 0.425, torch.tensor([0.5] * 4 + [1.5] * 4)
    cells = torch.arange(1.0, 9.0)
    torch.testing.assert_close(modulated.flatten(), torch.cat([cells * by_place, cells * by_moment]))
    both, _ = vpn(coupler=False, modulation="both").modulate(F_MAP, weights)
    torch.testing.assert_close(both.flatten(), torch.cat([cells * by_place, cells, cells * by_moment, cells]))
    printed, gated = (vpn(coupler=False, modulation=how).modulate(F_MAP, weights)[0] for how in ("residual", "gated"))
    assert torch.equal(printed, gated)  # A2 has no residual


@pytest.mark.parametrize("options", [{}, {"coupler": False}, {"temporal": False}], ids=str)
@pytest.mark.parametrize("how", ["residual", "gated", "mean", "both"])
def test_each_reading_classifies_what_it_pools(how, options):
    system, data = unequal(vpn(modulation=how, **options)), batch()
    output = system(data)
    torch.testing.assert_close(output.features, output.maps["modulated"].mean((2, 3, 4)))
    assert output.features.shape[1] == system.classifier.in_features
    system.loss(output, data)["total"].backward()
    assert [name for name, p in system.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_vpn_star_has_the_readings_too():
    setting = Setting(5, Skeleton.named("kinect_v2"), **SIZES)
    system = assemble(VPNStar, setting, modulation="both").eval()
    output = system(batch())
    assert output.features.shape[1] == system.classifier.in_features == 2 * system.backbone.channels
    assert {stage.loss for stage in system.stages()} == {"backbone_loss", "joint_loss"}


@pytest.mark.parametrize("coupler", [True, False])
def test_mean_and_both_start_where_the_backbone_stage_ended(coupler):
    """Attention begins equal, and the mean under equal weights is the plain average."""
    for how in ("mean", "both"):
        system, data = vpn(modulation=how, coupler=coupler).eval(), batch()
        output = system(data)
        torch.testing.assert_close(output.logits, output.aux["backbone_logits"])
    output = vpn().eval()(data)  # f + A f with A = 0.5 / t_c = 0.25
    torch.testing.assert_close(output.features, 1.25 * output.maps["feature_map"].mean((2, 3, 4)))


@pytest.mark.parametrize("options", [{}, {"coupler": False}, {"temporal": False}], ids=str)
def test_under_uniform_attention_poses_say_nothing(options):
    system, data = unequal(vpn(modulation="mean", **options)).eval(), batch()
    other = data.replace(pose=data.pose.flip(0))
    assert (system(other).logits - system(data).logits).abs().max() > 1e-4
    with uniform_attention(system) as points:
        torch.testing.assert_close(system(other).logits, system(data).logits)
    assert points == len(system.weights)


# The ceiling


def truth(count: int = 4, side: int = 32) -> Batch:
    """Clip 0: one corner in the first half, the same corner and its neighbour in the last quarter. Of the others
    nothing is known."""
    data = batch(count, side)
    known = torch.zeros(count, 8, side, side)
    known[0, :4, : side // 2, : side // 2] = 1
    known[0, 6:, : side // 2] = 1
    return data.replace(pose=None, truth=known)


def test_the_truth_stands_in_for_attention():
    data = truth()
    options = {"guide": "truth", "embedding": "none", "modulation": "mean"}
    maps = vpn(**options).eval()(data).maps
    first = torch.tensor([[[1.0, 0], [0, 0]], [[0.5, 0.5], [0, 0]]])
    torch.testing.assert_close(maps["attention"][0], first)
    assert (maps["attention"][1:] == 1).all() and not {"spatial", "temporal", "joints"} & set(maps)
    f = maps["feature_map"]
    pooled = (f[0, :, 0, 0, 0] + 0.5 * f[0, :, 1, 0, 0] + 0.5 * f[0, :, 1, 0, 1]) / 2
    torch.testing.assert_close(maps["modulated"].mean((2, 3, 4))[0], pooled)

    maps = vpn(coupler=False, **options)(data).maps  # means over the other axes: 0.75 and 0.25; 0.25 and 0.25
    torch.testing.assert_close(maps["spatial"][0], torch.tensor([[1.0, 1 / 3], [0, 0]]))
    torch.testing.assert_close(maps["temporal"], torch.full((4, 2), 0.5))
    maps = vpn(temporal=False, **options)(data).maps
    torch.testing.assert_close(maps["attention"][0, 1], torch.tensor([[1.0, 1 / 3], [0, 0]]))


@pytest.mark.parametrize("how", ["residual", "gated", "mean", "both"])
def test_the_ceiling_learns_from_the_classes_alone(how):
    system, data = vpn(guide="truth", embedding="none", modulation=how, pose_backbone="lstm"), truth()
    assert system.needs_test == {"video", "truth"} and system.needs_train == {"video", "truth", "label"}
    assert {name for name, _ in system.named_children()} == {"backbone", "points", "dropout", "classifier"}
    assert [(stage.name, stage.freezes) for stage in system.stages()] == [("backbone", ()), ("joint", ())]
    output = system(data)
    terms = system.loss(output, data)
    assert set(terms) == {"total", "classification"}
    torch.testing.assert_close(terms["total"], F.cross_entropy(output.logits, data.label))
    with pytest.raises(ValueError, match="reads batch.truth, which this batch doesn't have"):
        system(batch())
    with uniform_attention(system.eval()):
        blind = system(data.replace(truth=torch.ones(4, 8, 32, 32)))
        if how in ("mean", "both"):
            torch.testing.assert_close(system(data).logits, blind.logits)


# Spatial embedding, eq. 3 and 4


def test_epsilon_is_how_hard_the_embedding_pulls_at_the_start():
    """z1 begins at zero, where eq. 4 with the norm of eq. 7 has the gradient -2 f_e / |f_e| / sqrt(eps)."""
    visual, pose = torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2, requires_grad=True)
    for eps in (1e-4, 1e-2, 1.0):
        (gradient,) = torch.autograd.grad(losses.normalized_euclidean(visual, pose, eps), pose)
        unit = visual / (25 + eps) ** 0.5
        torch.testing.assert_close(gradient, -2 * unit / eps**0.5)


def test_the_epsilon_of_the_embedding_is_an_option():
    system, data = unequal(vpn(embedding_eps=0.5)).eval(), batch()
    output = system(data)
    expected = losses.normalized_euclidean(output.aux["visual"], output.aux["pose"], 0.5)
    torch.testing.assert_close(system.loss(output, data)["embedding"], expected)
    assert vpn().options.embedding_eps == 1e-3


def test_embedding_projects_the_time_summed_map_and_z1():
    system, data = unequal(vpn()).eval(), batch()
    output = system(data)
    f, h = output.maps["feature_map"], system.attention.norm(system.pose_backbone(data.pose)[0])
    t_v, t_p = system.embedding.visual.weight, system.embedding.pose.weight
    torch.testing.assert_close(output.aux["visual"], f.sum(2).flatten(1) @ t_v.T)
    torch.testing.assert_close(output.aux["pose"], system.attention.spatial(h) @ t_p.T)


def test_transformations_keep_norm_one_while_they_learn():
    system, data = vpn(), batch()
    optimizer = torch.optim.SGD(system.parameters(), lr=0.02)
    for _ in range(12):
        optimizer.zero_grad()
        losses.normalized_euclidean(system(data).aux["visual"], torch.randn(4, 256)).backward()
        optimizer.step()
    for projection in (system.embedding.visual, system.embedding.pose):
        assert torch.linalg.matrix_norm(projection.weight, 2).item() == pytest.approx(1, abs=0.05)


def test_manhattan_reads_attention_weights():
    system, data = unequal(vpn(embedding="manhattan")).eval(), batch()
    output = system(data)
    expected = output.maps["spatial"].flatten(1) @ system.embedding.pose.weight.T
    torch.testing.assert_close(output.aux["pose"], expected)


def test_kl_variants_are_equations_8_and_9():
    torch.manual_seed(0)
    f, p = torch.randn(3, 7), torch.randn(3, 7)
    a, b = f.softmax(1), p.softmax(1)
    forth, back = (a * (a / b).log()).sum(1).mean(), (b * (b / a).log()).sum(1).mean()
    torch.testing.assert_close(EMBEDDINGS["kl_visual_pose"](f, p), forth)
    torch.testing.assert_close(EMBEDDINGS["kl_pose_visual"](f, p), back)
    torch.testing.assert_close(EMBEDDINGS["kl_bidirectional"](f, p), forth + back)


# Loss, eq. 5 and 6, and stages


def test_loss_is_equation_5():
    system, data = unequal(vpn(lambda1=0.7, lambda2=0.01)).eval(), batch()
    output = system(data)
    terms = system.loss(output, data)
    l_c = F.cross_entropy(output.logits, data.label)
    l_e = losses.normalized_euclidean(output.aux["visual"], output.aux["pose"])
    a_s, a_t = output.maps["spatial"], output.maps["temporal"]
    l_a = a_s.sum((1, 2)).mean() + (1 - a_t).square().sum(1).mean()
    for name, value in {"classification": l_c, "embedding": l_e, "attention": l_a}.items():
        torch.testing.assert_close(terms[name], value)
    torch.testing.assert_close(terms["total"], 0.7 * l_c + 0.3 * l_e + 0.01 * l_a)


def test_paper_weights_are_the_default():
    options = vpn().options
    assert (options.lambda1, options.lambda2, options.alpha, options.beta, options.dropout) == (0.8, 1e-5, 5, 2, 0.3)


def test_loss_without_embedding_has_no_transformation():
    system, data = vpn(embedding="none").eval(), batch()
    terms = system.loss(system(data), data)
    assert set(terms) == {"total", "classification", "attention"} and not hasattr(system, "embedding")
    torch.testing.assert_close(terms["total"], terms["classification"] + 1e-5 * terms["attention"])


@pytest.mark.parametrize("coupler", [True, False])
def test_backbone_stage_leaves_attention_out(coupler):
    system, data = unequal(vpn(coupler=coupler)).eval(), batch()
    features = system.backbone(data.video).mean((2, 3, 4))
    logits = system.classifier(features if coupler else torch.cat([features, features], dim=1))
    total = system.backbone_loss(system(data), data)["total"]
    torch.testing.assert_close(total, F.cross_entropy(logits, data.label))


def test_stages_are_data():
    backbone, joint = vpn().stages()
    assert (backbone.trains, backbone.loss, joint.loss, joint.freezes) == (
        ("backbone", "classifier"),
        "backbone_loss",
        "loss",
        (),
    )
    assert (joint.optimizer["name"], joint.optimizer["lr"], joint.epochs) == ("sgd", 0.01, 30)
    assert joint.schedule == {"name": "step", "every": 10, "factor": 0.1}
    _, pose, joint = vpn(pose_backbone="lstm", lstm_hidden=8, optimizer="adam").stages()
    assert pose.loss == "pose_loss" and "pose_backbone.lstm" in pose.trains and "pose_backbone.lstm" in joint.freezes
    assert joint.optimizer == {"name": "adam", "lr": 0.01}


def test_lstm_learns_from_every_step_and_hands_on_all_of_them():
    system, data = vpn(pose_backbone="lstm", lstm_hidden=8).eval(), batch()
    steps = system.pose_backbone(data.pose)
    expected = losses.every_step(system.pose_classifier(steps), data.label)
    torch.testing.assert_close(system.pose_loss(system(data), data)["total"], expected)
    assert system.attention.spatial.hidden.in_features == 6 * 8


@pytest.mark.parametrize("options", [{"pose_first": True}, {"pose_backbone": "lstm", "lstm_hidden": 8}], ids=str)
def test_the_pose_backbone_is_trained_first_without_video(options):
    system, data = vpn(**options).eval(), batch()
    _, pose, joint = system.stages()
    assert pose.needs == {"pose", "label"} and "pose_classifier" in joint.freezes
    assert ("pose_backbone.lstm" in joint.freezes) == (
        "pose_backbone" in options
    )  # the LSTM stays as it is, the GCN not
    poses = data.replace(video=None)
    alone = system(poses)
    expected = system.pose_loss(system(data), data)["total"]
    torch.testing.assert_close(system.pose_loss(alone, poses)["total"], expected)
    if "pose_first" in options:
        h = system.pose_backbone(data.pose)[0]
        torch.testing.assert_close(expected, F.cross_entropy(system.pose_classifier(h), data.label))
    freeze(system, pose)
    train_mode(system)
    system.pose_loss(system(poses), poses)["total"].backward()
    reached = {name for name, p in system.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached == {name for name, p in system.named_parameters() if p.requires_grad}
    assert {name.split(".")[0] for name in reached} == {"pose_backbone", "pose_classifier"}
    with pytest.raises(ValueError, match="reads batch.video"):
        vpn()(poses)


def test_pose_lstm_hands_its_weights_to_vpn():
    torch.manual_seed(0)
    alone, system = build("pose_lstm", 5, hidden=8), vpn(pose_backbone="lstm", lstm_hidden=8)
    system.pose_backbone.load_state_dict(alone.pose_backbone.state_dict())
    data = batch()
    torch.testing.assert_close(alone.eval()(data).features, system.pose_backbone(data.pose)[:, -1])
    assert torch.equal(alone(data).logits, alone(data).aux["steps"][:, -1])


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_gradient_reaches_every_parameter(options):
    system, data = unequal(vpn(**options)), batch()
    output = system(data)
    total = system.loss(output, data)["total"]
    if options.get("pose_backbone") == "lstm":
        total = total + system.pose_loss(output, data)["total"]
    total.backward()
    assert [name for name, p in system.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert all(p.grad.isfinite().all() for p in system.parameters())


@pytest.mark.parametrize("name", ["rgb", "pose_lstm"])
def test_gradient_reaches_every_parameter_of_the_baselines(name):
    torch.manual_seed(0)
    options = {"hidden": 8} if name == "pose_lstm" else {}
    system, data = build(name, 5, **SIZES, **options), batch()
    system.loss(system(data), data)["total"].backward()
    assert [key for key, p in system.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_vpn_learns_four_clips_by_heart():
    system, data = vpn(dropout=0.0), batch()
    optimizer = torch.optim.Adam(system.parameters(), lr=3e-3)
    for _ in range(25):
        optimizer.zero_grad()
        system.loss(system(data), data)["total"].backward()
        optimizer.step()
    terms = system.loss(system(data), data)
    assert terms["classification"] < 0.1 and terms["embedding"] < 0.5


# Inference


def test_another_picture_size_stretches_the_attention():
    system, data = unequal(vpn()).eval(), batch(side=64)
    output = system(data)
    small = output.aux["spatial"].view(4, 1, 2, 2)
    assert output.maps["attention"].shape == (4, 2, 4, 4)
    stretched = F.interpolate(small, (4, 4), mode="bilinear")[:, 0]
    torch.testing.assert_close(output.maps["spatial"], stretched)
    pooled = F.avg_pool2d(output.maps["feature_map"].sum(2), 2)
    torch.testing.assert_close(output.aux["visual"], system.embedding.visual(pooled.flatten(1)))
    assert system.loss(output, data)["total"].isfinite()


def test_bf16_stays_close_and_attention_stays_exact():
    system, data = unequal(vpn()).eval(), batch()
    with torch.no_grad():
        exact = system(data)
        with torch.autocast("cpu", torch.bfloat16):
            rough = system(data)
    assert rough.logits.dtype == rough.maps["attention"].dtype == torch.float32
    torch.testing.assert_close(rough.maps["attention"], exact.maps["attention"], atol=0.02, rtol=0)
    assert F.cosine_similarity(rough.features, exact.features).min() > 0.95


# What is not valid


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"name": "vnp"}, "unknown system 'vnp'; known: rgb, pose_lstm, "),
        ({"copler": False}, "vpn has no option 'copler'; valid options: pose_backbone, coupler, temporal, modulation"),
        ({"embedding": "l2"}, "embedding must be one of 'normalized_euclidean', .*'none', got 'l2'"),
        ({"coupler": 1}, "coupler must be one of True, False, got 1"),
        ({"lambda1": "0.8"}, "lambda1 must be a number >= 0, got '0.8'"),
        ({"lambda1": 1.5}, "lambda1 must be between 0 and 1, got 1.5"),
        ({"modulation": "sum"}, "modulation must be one of 'residual', 'gated', 'mean', 'both', got 'sum'"),
        (
            {"guide": "truth"},
            "guide='truth' reads no poses to embed, so it needs embedding='none', got embedding='norm",
        ),
        ({"embedding_eps": 0.0}, "embedding_eps must be above 0"),
        ({"lstm_hidden": 0}, "lstm_hidden must be a whole number >= 1, got 0"),
        ({"coupler": False, "temporal": False}, "coupler=False needs temporal=True"),
        ({"backbone": "i4d"}, "unknown backbone 'i4d'; valid: i3d"),
        ({"skeleton": "ghost"}, "unknown skeleton 'ghost'; known: .*kinect_v2"),
        ({"clip": (16, 96)}, r"clip must be \(T,H,W\)"),
        ({"output_stride": (8, 8, 3)}, "output_stride .* is not one of"),
        ({"poses": 0}, "poses must be a whole number above 0, got 0"),
    ],
)
def test_build_refuses_by_name(call, message):
    with pytest.raises(ValueError, match=message) as error:
        build(**{"name": "vpn", "num_classes": 5, **SIZES, **call})
    assert "\n" not in str(error.value)


def test_names_and_variants():
    assert {"rgb", "pose_lstm", "vpn"} <= set(names())
    table = variants("vpn")
    assert table["pose_backbone"][:2] == ("gcn", ("gcn", "lstm")) and table["coupler"][:2] == (True, (True, False))
    assert "i3d" in table["backbone"].valid and "backbone" not in variants("pose_lstm")
    with pytest.raises(ValueError, match="unknown system"):
        variants("nope")


def test_batches_of_another_make_are_refused():
    system, data = vpn().eval(), batch()
    with pytest.raises(ValueError, match="batch.pose has 4 poses a clip, this VPN was built for 6"):
        system(data.replace(pose=data.pose[:, :, :4]))
    with pytest.raises(ValueError, match="4 frames give 1 time steps, this VPN was built for 2"):
        system(data.replace(video=data.video[:, :, :4]))
    with pytest.raises(ValueError, match=r"batch.video is torch.uint8, .*call batch.to\(device\) first"):
        system(data.replace(video=torch.zeros(4, 3, 8, 32, 32, dtype=torch.uint8)))
