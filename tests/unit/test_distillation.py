"""Teacher and student side by side: pairs, relations, attention, departures, and what is asked of a system."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from workbench.explain import distillation
from workbench.explain.embeddings import Comparison, Embedding
from workbench.show.figures import distillation as figures
from workbench.systems import build
from workbench.types import Batch, Output

SIZES = {"clip": (8, 32, 32), "width": 0.125, "output_stride": (4, 8, 8), "poses": 8}
LABELS = np.array([0, 0, 1, 1])


class Taught(nn.Module):
    """Answers from the first pixel of the video; its teacher from the first number of the pose."""

    def __init__(self, compares: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        if compares:
            self.compare = lambda student, taught: {
                "features/teacher": 2 * taught["pose"].features,
                "features/student": 3 * student.features,
            }

    def forward(self, batch: Batch) -> Output:
        value = batch.video[:, :, 0, 0, 0] * self.weight
        affinity = torch.tensor([[[1.0, 0], [0.5, 0.5]]]).expand(len(value), -1, -1)
        return Output(value, value, {"affinity": affinity, "affinity_grid": torch.tensor([2, 1, 1])})

    def teach(self, batch: Batch) -> dict[str, Output]:
        value = batch.pose[:, 0, 0, 0]
        return {"pose": Output(value, value, {"attention": value[:, :2].reshape(-1, 2, 1, 1)})}


def batch(labels: list[int], ids: list[str]) -> Batch:
    video, pose = torch.zeros(len(ids), 3, 1, 1, 1), torch.zeros(len(ids), 1, 1, 1, 3)
    video[:, :, 0, 0, 0] = torch.tensor([0.0, 3.0, 4.0])
    pose[:, 0, 0, 0] = torch.tensor([1.0, 3.0, 0.0])
    return Batch(video=video, pose=pose, label=torch.tensor(labels), ids=ids)


def test_student_and_teacher_are_asked_about_every_clip():
    system = Taught().eval()
    lesson = distillation.observe(system, [batch([0, 1], ["a", "b"]), batch([2], ["c"])], progress=False)
    assert lesson.ids == ["a", "b", "c"] and lesson.labels.tolist() == [0, 1, 2]
    assert lesson.student.logits.tolist() == [[0, 3, 4]] * 3 and lesson.teachers["pose"].logits[2].tolist() == [1, 3, 0]
    teacher, student = lesson.pairs["features"]
    np.testing.assert_allclose(student[0], [0, 0.6, 0.8], atol=1e-6)
    np.testing.assert_allclose(teacher[0], np.array([1, 3, 0]) / 10**0.5, atol=1e-6)
    assert lesson.teacher() == lesson.teacher("pose") == "pose"
    with pytest.raises(ValueError, match="there is no teacher 'flow'; there are: pose"):
        lesson.teacher("flow")


def test_without_embeddings_of_its_own_features_and_logits_are_compared():
    lesson = distillation.observe(Taught(compares=False).eval(), [batch([0], ["a"])], progress=False)
    assert list(lesson.pairs) == ["pose features", "pose logits"]
    np.testing.assert_allclose(lesson.pairs["pose logits"][1][0], [0, 0.6, 0.8], atol=1e-6)


def test_who_cannot_be_asked_is_told_in_a_sentence():
    with pytest.raises(ValueError, match="Taught must be in evaluation mode"):
        distillation.observe(Taught(), [batch([0], ["a"])])
    with pytest.raises(ValueError, match="Linear has no teacher; choose a run of a distilled system, like vpn_f"):
        distillation.observe(nn.Linear(1, 1).eval(), [batch([0], ["a"])], progress=False)


def test_attention_in_even_shares():
    seen = distillation.attention(Taught().eval(), batch([0], ["a"]))
    # Cells get 0.75 and 0.25 of those who look; the teacher's weights are 1 and 3.
    assert seen["student"]["attention"].ravel().tolist() == [1.5, 0.5]
    assert seen["teacher pose"]["attention"].ravel().tolist() == [0.5, 1.5]
    assert seen["student"]["as distilled"] is None and seen["teacher pose"]["as distilled"] is None


def test_received_attention_of_all_cells_and_of_pooled_keys():
    np.testing.assert_allclose(distillation.received(np.array([[1.0, 0], [0.5, 0.5]]), (2, 1, 1)).ravel(), [0.75, 0.25])
    # 3 x 4 cells, keys pooled to 1 x 2: the last row is nobody's key; each block of four shares its weight.
    affinity = np.tile([0.8, 0.2], (12, 1))
    found = distillation.received(affinity, (1, 3, 4))[0]
    np.testing.assert_allclose(found, [[0.2, 0.2, 0.05, 0.05]] * 2 + [[0] * 4], atol=1e-7)
    assert found.sum() == pytest.approx(1)
    assert distillation.received(np.ones((12, 5)), (1, 3, 4)) is None


def test_a_pair_is_negative_across_classes_only():
    video, pose, positive = distillation.pairs(LABELS, seed=3)
    assert video.tolist() == [0, 1, 2, 3] * 2 and positive.tolist() == [True] * 4 + [False] * 4
    assert pose[:4].tolist() == [0, 1, 2, 3] and (LABELS[pose[4:]] != LABELS[video[4:]]).all()
    assert distillation.pairs(np.zeros(3, int))[2].tolist() == [True] * 3  # no other class, no negative


def test_relations_do_not_depend_on_size_or_turn():
    draw = np.random.default_rng(0)
    features = draw.normal(size=(8, 3)).astype(np.float32)
    turn, _ = np.linalg.qr(draw.normal(size=(5, 5)))
    other = 7 * np.pad(features, ((0, 0), (0, 2))) @ turn + 2
    clips = np.arange(8)
    np.testing.assert_allclose(distillation.relations(features, other, clips, clips), 1, atol=1e-5)
    assert distillation.relations(features, other, clips, np.roll(clips, 1)).max() < 0.999
    assert np.isnan(distillation.relations(np.ones((8, 2)), other, clips, clips)).all()


def test_relations_by_hand():
    """Around their centre the student's four clips point up, down, right, left; the teacher's up, down, down, up."""
    student, teacher = np.array([[0, 1], [0, -1], [1, 0], [-1, 0.0]]), np.array([[1], [-1], [-1], [1.0]])
    # Cosines of clip 0 to 1, 2 and 3: (-1, 0, 0) and (-1, -1, 1): centred (-2, 1, 1)/3 and (-2, -2, 4)/3.
    expected = (4 - 2 + 4) / np.sqrt((4 + 1 + 1) * (4 + 4 + 16))
    assert distillation.relations(teacher, student, np.array([0]), np.array([0]))[0] == pytest.approx(expected)


def test_ranking_counts_pairs():
    contrast = distillation.Contrast(np.array([0.9, 0.2]), np.array([0.2, 0.1]))
    assert contrast.ranking == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert np.isnan(distillation.Contrast(np.array([0.9]), np.array([])).ranking)


def test_contrasts_before_and_after():
    axes = np.eye(4, dtype=np.float32)
    said = distillation.Answers(axes, np.random.default_rng(0).normal(size=(4, 2)))
    lesson = distillation.Lesson(list("abcd"), LABELS, said, {"pose": said}, {"features": (axes, axes)})
    found = distillation.contrasts(lesson)
    assert list(found) == ["before, pose", "after, features"]
    assert (
        found["after, features"].positive.tolist() == [1] * 4 and found["after, features"].negative.tolist() == [0] * 4
    )
    assert found["after, features"].ranking == 1
    np.testing.assert_allclose(found["before, pose"].positive, 1, atol=1e-9)


def test_departures_by_hand():
    labels = np.array([0, 1, 1, 2, 2])
    teacher, student = np.eye(3)[[0, 1, 1, 0, 1]], np.eye(3)[[0, 0, 1, 2, 1]]
    found = distillation.departures(labels, teacher, student)
    assert (found.lost.tolist(), found.won.tolist()) == ([1], [3])
    assert found.alike.tolist() == [True, False, True, False, True]
    assert found.by_class(labels, 3).tolist() == [[0, 0], [1, 0], [0, 1]]


def test_rank_correlation_by_hand():
    first = np.array([[1.0, 2, 3], [1, 2, 3], [1, 2, 3], [0, 0, 0]])
    second = np.array([[10.0, 20, 900], [3, 2, 1], [1, 3, 2], [1, 2, 3]])
    np.testing.assert_allclose(distillation.rank_correlation(first, second), [1, -1, 0.5, np.nan])
    # A tie shares its rank: (1, 2.5, 2.5) against (1, 2, 3).
    tied = distillation.rank_correlation(np.array([[0.0, 5, 5]]), np.array([[1.0, 2, 3]]))
    assert tied[0] == pytest.approx(1.5 / np.sqrt(1.5 * 2))


def test_rows_of_other_predictions():
    assert distillation.rows(["b", "a"], ["a", "c", "b"]).tolist() == [2, 0]
    with pytest.raises(ValueError, match="the baseline has no prediction for clip 'x'"):
        distillation.rows(["x"], ["a"])


def test_the_stages_in_which_something_is_distilled():
    history = pd.DataFrame({"stage": ["teacher/pose", "distillation"], "train_distillation": [np.nan, 1.0]})
    assert distillation.distilling(history)["stage"].tolist() == ["distillation"]
    assert len(distillation.distilling(history[["stage"]])) == 2


@pytest.mark.parametrize(
    ("name", "options", "levels", "attend"),
    [
        ("vpn_f", {}, ["features"], set()),
        ("vpn_a", {}, ["attention"], {"student", "teacher vpn"}),
        ("vpn_pp", {}, ["attention", "features"], {"student", "teacher vpn"}),
        ("vpn_pp", {"combination": "late_fusion"}, ["vpn_f/features", "vpn_a/attention"], {"student", "teacher vpn"}),
        ("mars", {"backbone": "i3d"}, ["flow features", "flow logits"], set()),
    ],
)
def test_distilled_systems_are_seen_through_output_and_methods(name, options, levels, attend):
    torch.manual_seed(0)
    system = build(name, 3, **SIZES, **options).eval()
    shape = (2, 3, *SIZES["clip"])
    given = {"video": torch.rand(shape), "pose": torch.rand(2, 2, 8, 25, 3), "flow": torch.rand(2, 2, *shape[2:])}
    asked = Batch(**given, label=torch.tensor([0, 1]), ids=["a", "b"])
    lesson = distillation.observe(system, [asked], progress=False)
    assert list(lesson.pairs) == levels
    for sides in lesson.pairs.values():
        assert sides[0].shape == sides[1].shape
        np.testing.assert_allclose(np.linalg.norm(sides, axis=2), 1, atol=1e-4)
    seen = distillation.attention(system, asked)
    assert {title for title, maps in seen.items() if maps["attention"] is not None} == attend
    compared = {title for title, maps in seen.items() if maps["as distilled"] is not None}
    assert compared == attend and {maps["as distilled"].shape for maps in map(seen.get, compared)} <= {(2, 4, 4)}


NASTY = "<b>cook</b>"
CLASSES = ["drink", NASTY]
LOGITS = {"right": np.eye(2)[LABELS], "wrong": np.eye(2)[[0, 1, 1, 0]]}


def lesson(student: str = "wrong") -> distillation.Lesson:
    said = {name: distillation.Answers(logits, logits) for name, logits in LOGITS.items()}
    return distillation.Lesson(list("abcd"), LABELS, said[student], {"pose": said["right"]}, {})


def test_departures_are_drawn_by_action_and_listed():
    known = lesson()
    parted = distillation.departures(LABELS, LOGITS["right"], LOGITS["wrong"])
    won, lost = figures.departures(parted, LABELS, CLASSES, "pose").data
    assert won.x.tolist() == [0, 0] and lost.x.tolist() == [-1, -1]
    cells = figures.departed(known, parted, CLASSES, "pose").data[0].cells.values
    assert cells[0] == ["b", "d"] and cells[2] == ["drink", "&lt;b&gt;cook&lt;/b&gt;"] and cells[4] == ["teacher"] * 2
    one = figures.departed(known, parted, CLASSES, "pose", most=1)
    assert len(one.data[0].cells.values[0]) == 1 and "1 more are not shown" in one.layout.title.text


def test_what_is_missing_is_said():
    same = distillation.departures(LABELS, LOGITS["right"], LOGITS["right"])
    for blank in (
        figures.departures(same, LABELS, CLASSES, "pose"),
        figures.departed(lesson("right"), same, CLASSES, "pose"),
        figures.planes({}, LABELS, CLASSES, CLASSES),
        figures.pull(pd.DataFrame({"epoch": [1], "stage": ["solve"], "train_total": [1.0]})),
        figures.sensitivity(pd.DataFrame(columns=["option", "value", "seed", "top1", "low", "high"]), None, "mars"),
    ):
        assert not blank.data and len(blank.layout.annotations) == 1


def test_gains_agreement_and_sensitivity_show_their_numbers():
    gains = pd.DataFrame({"action": CLASSES, "clips": [2, 6], "value": [0.5, -0.25], "low": [0, -0.5], "high": [1, 0]})
    bars = figures.class_gains(gains, (0.1, 0.05, 0.2), ("rgb", "vpn_f"))
    assert bars.data[0].x.tolist() == [10, 50, -25] and bars.data[0].error_x.array.tolist() == pytest.approx(
        [10, 50, 25]
    )
    assert bars.layout.yaxis.ticktext == ("all actions (8)", "drink (2)", "&lt;b&gt;cook&lt;/b&gt; (6)")
    agreed = figures.agreement({"same": {"vpn_f": (0.6, 0.5, 0.7), "rgb": (0.4, 0.3, 0.5)}}, "pose")
    assert agreed.data[0].x.tolist() == [0.6, 0.4]
    runs = pd.DataFrame({"option": "alpha", "value": [10.0, 10.0, 50.0], "seed": [0, 1, 0], "top1": [0.2, 0.4, 0.5]})
    paper = {"option": "alpha", "curves": {"NTU": {0: 85.5, 50: 90.8}}}
    mean, dots, printed = figures.sensitivity(runs.assign(low=0.1, high=0.6), paper, "vpn_f").data
    # The places of 10 and 50 among 0, 10 and 50.
    assert (list(mean.x), mean.y.tolist()) == ([1, 2], pytest.approx([30, 50])) and list(dots.x) == [1, 1, 2]
    assert (list(printed.x), list(printed.y)) == ([0, 2], [85.5, 90.8])


def test_a_line_joins_what_teacher_and_student_make_of_a_clip():
    clouds = [Embedding(np.full((4, 2), value, np.float32), 0.5, "pca") for value in (1, 2)]
    found = Comparison(list("abcd"), np.arange(4), *clouds, np.ones(4))
    drawn = figures.planes({"features": found}, LABELS, CLASSES, [NASTY])
    other = next(trace for trace in drawn.data if trace.mode == "lines")
    assert other.x[:3].tolist()[:2] == [1, 2] and np.isnan(other.x[2])
    assert {trace.name for trace in drawn.data} == {None, "other", "&lt;b&gt;cook&lt;/b&gt;", "teacher", "student"}
