"""Figures: titled, labelled, escaped, small, honest about what is missing, and showing the numbers they were given."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from workbench.explain.embeddings import Comparison, Embedding
from workbench.show.figures import (
    attention,
    common,
    confusion,
    costs,
    embeddings,
    flow,
    gradcam,
    joints,
    pose,
    training,
)
from workbench.types import Clip, Pose, Skeleton, Truth

KINECT = Skeleton.named("kinect_v2")
NASTY = "<b>cook</b><script>alert(1)</script>"
ESCAPED = "&lt;b&gt;cook&lt;/b&gt;&lt;script&gt;alert(1)&lt;/script&gt;"
CLASSES = ["drink", "read", NASTY, "wave"]
FRAMES, SIDE = 8, 24
rng = np.random.default_rng(0)


def _clip() -> Clip:
    frames = rng.integers(0, 256, (FRAMES, SIDE, SIDE, 3), dtype=np.uint8)
    return Clip(frames, np.arange(FRAMES) * 3, 25.0, (2, 2, 26, 26), "clip.mp4")


def _pose(space: str = "image") -> Pose:
    values = rng.uniform(2, SIDE - 2, (1, FRAMES, KINECT.count, 3)).astype(np.float32)
    return Pose(values, KINECT, space, np.arange(FRAMES) * 3)


def _truth() -> Truth:
    mask = np.zeros((FRAMES, SIDE, SIDE), bool)
    mask[:, 4:9, 4:9] = True
    marked = np.arange(KINECT.count) == KINECT.index("hand_right")
    return Truth(marked, mask, np.zeros((FRAMES, 4), np.float32), (6, 15), np.arange(FRAMES) * 3)


CLIP, POSE, TRUTH = _clip(), _pose(), _truth()
MAP = rng.random((4, 3, 3))
ACTIVATION = rng.random((6, KINECT.count))
FEATURES = rng.random((5, 4, 3, 3))
LABELS = np.repeat(np.arange(4), 3)
IDS = [f"{NASTY}{index}" for index in range(12)]
CLOUD = Embedding(rng.normal(size=(12, 2)).astype(np.float32), 0.9, "tsne")
COMPARISON = Comparison(IDS, np.arange(12), CLOUD, CLOUD, rng.random(12))
FIRST = np.array([[6, 4, 0, 0], [2, 8, 0, 0], [0, 1, 5, 4], [1, 0, 5, 4]])
SECOND = np.array([[9, 1, 0, 0], [2, 8, 0, 0], [0, 0, 9, 1], [4, 0, 5, 1]])
RUNS = (NASTY, "vpn")
GRADES = {
    "system": {"value": 0.3, "low": 0.25, "high": 0.4},
    "shuffled_pose": {"value": 0.1, "low": 0.1, "high": 0.1},
    "minus_shuffled_pose": {"value": 0.2, "low": 0.1, "high": 0.3},
}
RESULTS = pd.DataFrame(
    {"id": [NASTY, "x"], "test_top1": [0.5, np.nan], "test_top1_low": [0.4, np.nan], "test_top1_high": [0.7, np.nan]}
)
HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        "stage": ["warm", NASTY, NASTY],
        "train_total": [3.0, 2.0, 1.0],
        "train_embedding": [1.0, 0.5, 0.2],
        "train_top1": [0.1, 0.4, 0.8],
        "validation_top1": [0.1, np.nan, 0.6],
    }
)

FIGURES = {
    "shapes": lambda: flow.shapes(
        [flow.step(NASTY, CLIP.frames, "T H W 3", "RGB"), flow.step("y", MAP, "T' H' W'", NASTY)]
    ),
    "frames": lambda: flow.frames(CLIP),
    "crop": lambda: flow.crop(CLIP, CLIP, POSE),
    "feature map": lambda: flow.feature_map(FEATURES),
    "pose spaces": lambda: flow.pose_spaces({NASTY: _pose("camera"), "pixels": POSE}, 2),
    "pose samples": lambda: flow.pose_samples(_pose("normalised")),
    "spatial": lambda: attention.spatial(CLIP, MAP[0], POSE),
    "temporal": lambda: attention.temporal(CLIP, {NASTY: np.full(4, 0.25)}, TRUTH),
    "coupled": lambda: attention.coupled(CLIP, {NASTY: MAP, "rgb": None}, TRUTH),
    "graded": lambda: attention.graded({"ranking": GRADES, NASTY: GRADES}, NASTY),
    "side by side": lambda: gradcam.side_by_side(CLIP, {"per_step": MAP, "over_time": MAP}, NASTY, 0.5),
    "weights": lambda: gradcam.weights(rng.normal(size=(9, 4)), rng.normal(size=9)),
    "matrices": lambda: joints.matrices({NASTY: ACTIVATION}, KINECT, {NASTY: TRUTH}),
    "top": lambda: joints.top({NASTY: ACTIVATION}, KINECT),
    "kernels": lambda: joints.kernels(FEATURES, CLIP, 2),
    "aligned": lambda: embeddings.aligned(
        {"tsne": COMPARISON, "pca": COMPARISON}, LABELS, CLASSES, RUNS, ["read", NASTY]
    ),
    "movement": lambda: embeddings.movement(COMPARISON, LABELS, CLASSES, RUNS),
    "matrix": lambda: confusion.matrix(FIRST, CLASSES, NASTY, [2, 3]),
    "zoom": lambda: confusion.zoom({NASTY: FIRST, "vpn": SECOND}, CLASSES, [2, 3]),
    "difference": lambda: confusion.difference(FIRST, SECOND, CLASSES, RUNS),
    "gains": lambda: confusion.top_gains(FIRST, SECOND, CLASSES, RUNS),
    "radar": lambda: confusion.radar({NASTY: FIRST, "vpn": SECOND}, CLASSES, [(0, 1), (2, 3), (1, 2)]),
    "dynamicity": lambda: confusion.against_dynamicity(np.array([0.1, 0, -0.2, np.nan]), np.ones(4), CLASSES, RUNS),
    "curves": lambda: training.curves(HISTORY, NASTY),
    "terms": lambda: training.terms(HISTORY),
    "results": lambda: training.results(RESULTS, chance=0.25),
    "variants": lambda: pose.variants(CLIP, {NASTY: CLIP.frames}, "Rendering"),
    "schema": lambda: pose.schema(POSE),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_titled_labelled_and_escaped(name):
    figure = FIGURES[name]()
    assert figure.layout.title.text and figure.layout.height
    axes = [axis for axis in figure.select_xaxes() if axis.visible is not False]
    axes += [axis for axis in figure.select_yaxes() if axis.visible is not False]
    polar = [figure.layout.polar.radialaxis] if figure.layout.polar.radialaxis.title.text else []
    labelled = [axis for axis in [*axes, *polar] if axis.title.text]
    # In a row of panels the first carries the name of the axis that they share.
    assert len(labelled) >= min(2, len(axes)) or polar
    written = json.dumps(json.loads(figure.to_json()))
    assert "<script" not in written and "<b>cook" not in written


def test_the_name_of_a_stage_stands_where_it_begins():
    drawn = training.curves(HISTORY, "vpn")
    lines = [shape.x0 for shape in drawn.layout.shapes]
    names = [note for note in drawn.layout.annotations if note.text == ESCAPED]
    assert lines == [1.5] * len(names) and {(note.x, note.xanchor) for note in names} == {(1.5, "left")}


def test_only_the_largest_changes_are_named_beside_their_dots():
    classes = [f"action {n}" for n in range(12)]
    change = np.array([0.0, *(0.01 * n * (-1) ** n for n in range(1, 12))])
    drawn = confusion.against_dynamicity(change, np.ones(12), classes, RUNS)
    assert [name for name in drawn.data[0].text if name] == classes[4:]
    few = confusion.against_dynamicity(change[:3], np.ones(3), classes[:3], RUNS)
    assert [name for name in few.data[0].text if name] == classes[1:3]  # what did not change has no name


def test_names_are_shown_letter_by_letter():
    figure = confusion.matrix(FIRST, CLASSES, "vpn")
    assert figure.layout.xaxis.ticktext[2] == ESCAPED
    assert ESCAPED in embeddings.aligned({"tsne": COMPARISON}, LABELS, CLASSES, RUNS).data[2].name
    assert ESCAPED in common.blank(NASTY, NASTY).layout.annotations[0].text


@pytest.mark.parametrize(
    "figure",
    [
        lambda: attention.spatial(CLIP, None, None),
        lambda: attention.temporal(CLIP, {"rgb": None}, TRUTH),
        lambda: attention.graded({}, "rgb"),
        lambda: joints.matrices({"rgb": None}, KINECT),
        lambda: joints.top({"rgb": None}, KINECT),
        lambda: joints.kernels(None, CLIP),
        lambda: confusion.top_gains(FIRST, FIRST, CLASSES, RUNS),
        lambda: confusion.radar({"rgb": FIRST}, CLASSES, []),
        lambda: confusion.against_dynamicity(np.full(4, np.nan), np.ones(4), CLASSES, RUNS),
        lambda: training.curves(pd.DataFrame()),
        lambda: training.results(pd.DataFrame({"id": ["x"]}), chance=0.1),
        lambda: training.terms(pd.DataFrame({"train_total": [1.0]})),
    ],
)
def test_what_is_missing_is_a_labelled_blank(figure):
    drawn = figure()
    assert not drawn.data and len(drawn.layout.shapes) == 1
    assert drawn.layout.title.text and len(drawn.layout.annotations[0].text) > 10


def test_a_missing_map_is_a_labelled_row():
    rows = attention.coupled(CLIP, {"vpn": MAP, "rgb": None}).layout.yaxis.ticktext
    assert rows == ("frames", "vpn", "rgb<br>(this run has no such map)")


def test_sheets_pick_frames_evenly_and_name_them():
    figure = flow.frames(CLIP, columns=4)
    assert figure.layout.xaxis.ticktext == ("3 (0.12 s)", "9 (0.36 s)", "15 (0.60 s)", "21 (0.84 s)")
    assert common.pick(8, 4).tolist() == [1, 3, 5, 7] and common.pick(3, 8).tolist() == [0, 1, 2]
    tiled = common.tile([CLIP.frames[:2], CLIP.frames[2:4]], gap=1)
    assert tiled.shape == (2 * SIDE + 1, 2 * SIDE + 1, 3)
    np.testing.assert_array_equal(tiled[SIDE + 1 :, :SIDE], CLIP.frames[2])
    with pytest.raises(ValueError, match="one shape"):
        common.sheet({"a": CLIP.frames, "b": CLIP.frames[:2]}, ["x"] * FRAMES, "t")


def test_temporal_steps_stand_where_their_frames_are():
    figure = attention.temporal(CLIP, {"vpn": np.array([0.1, 0.2, 0.3, 0.4])}, TRUTH)
    line = figure.data[0]
    # Four steps over eight frames, every third frame of a 25 Hz video: edges 0, 6, 12, 18, 24 of the source.
    np.testing.assert_allclose(line.x, np.array([0, 6, 12, 18, 24]) / 25)
    np.testing.assert_allclose(line.y, [0.1, 0.2, 0.3, 0.4, 0.4])
    moment = figure.layout.shapes[0]
    assert (moment.x0, moment.x1) == (6 / 25, 15 / 25)
    assert figure.layout.shapes[1].y0 == 0.25


def test_spatial_cells_lie_over_the_picture():
    cells = attention.spatial(CLIP, MAP[0], None).data[-1]
    np.testing.assert_allclose(cells.x, [4, 12, 20])
    np.testing.assert_array_equal(cells.z, MAP[0])


def test_graded_bars_show_the_run_and_its_baselines():
    bars = attention.graded({"ranking": GRADES}, NASTY).data[0]
    assert bars.y == (ESCAPED, "shuffled pose")
    np.testing.assert_allclose(bars.x, [0.3, 0.1])
    np.testing.assert_allclose(bars.error_x.array, [0.1, 0])
    np.testing.assert_allclose(bars.error_x.arrayminus, [0.05, 0])


def test_the_crop_is_drawn_where_it_was_cut():
    figure = flow.crop(CLIP, CLIP, POSE)
    box, source, cut = figure.data[2:]
    assert (min(box.x), max(box.x), min(box.y), max(box.y)) == (2, 26, 2, 26)
    # Clip pixel u is source pixel u * 24 / 24 + 2.
    np.testing.assert_allclose(source.x, np.asarray(cut.x) + 2)


def test_matrices_mark_the_true_joints():
    figure = joints.matrices({"a": ACTIVATION}, KINECT, {"a": TRUTH})
    marked = [label for label in figure.layout.yaxis.ticktext if common.TRUTH in label]
    assert len(marked) == 1 and "hand right" in marked[0]


def test_joints_stand_out_against_all_clips():
    everyone = np.zeros((2, 6, KINECT.count))
    everyone[..., KINECT.index("head")] = 9
    clip = everyone[0] - 3
    clip[:, KINECT.index("hand_left")] += 1
    bars = joints.top({"a": clip}, KINECT, everyone, count=1).data[0]
    assert bars.y == ("hand left",) and bars.x[0] == pytest.approx(1 - 1 / 25)
    assert joints.top({"a": clip}, KINECT, count=1).data[0].y == ("head",)


def test_difference_and_gains_show_the_second_minus_the_first():
    change = np.asarray(confusion.difference(FIRST, SECOND, CLASSES, RUNS).data[0].z, float)
    assert change[0, 0] == pytest.approx(0.3) and change[3, 3] == pytest.approx(-0.3)
    bars = confusion.top_gains(FIRST, SECOND, CLASSES, RUNS)
    np.testing.assert_allclose(bars.data[0].x, [40, 30, -30])
    assert bars.layout.yaxis.ticktext == (ESCAPED, "drink", "wave")
    assert set(bars.data[0].marker.color) == {common.COLORS[0], common.COLORS[1]}


def test_embedding_colours_only_the_named_classes():
    figure = embeddings.aligned({"tsne": COMPARISON}, LABELS, CLASSES, RUNS, ["read"])
    assert [trace.name for trace in figure.data] == ["other", "read"] * 2
    assert len(figure.data[0].x) == 9 and len(figure.data[1].x) == 3
    with pytest.raises(ValueError, match="unknown classes"):
        embeddings.aligned({"tsne": COMPARISON}, LABELS, CLASSES, RUNS, ["jump"])


def test_labels_follow_the_clips_that_both_runs_know():
    rows = np.array([0, 4, 8, 9, 11])
    few = Embedding(CLOUD.points[rows], 0.9, "tsne")
    found = Comparison([IDS[row] for row in rows], rows, few, few, np.array([5.0, 1, 3, 1, 1]))
    figure = embeddings.movement(found, LABELS, CLASSES, RUNS)
    assert figure.layout.yaxis.ticktext == ("drink", ESCAPED, "read", "wave")
    right = [trace for trace in embeddings.aligned({"tsne": found}, LABELS, CLASSES, RUNS).data if trace.xaxis == "x2"]
    assert [len(trace.x) for trace in right] == [1, 1, 1, 2]


def test_two_dozen_classes_look_different():
    looks = [tuple(common.marker(index).items()) for index in range(24)]
    assert len(set(looks)) == 24


def test_curves_mark_where_a_stage_begins():
    figure = training.curves(HISTORY)
    assert {shape.x0 for shape in figure.layout.shapes} == {1.5}
    assert {trace.name for trace in figure.data} == {"train", "validation"}


def test_accuracies_leave_out_what_was_not_measured():
    bar = training.results(RESULTS, chance=0.25).data[0]
    assert list(bar.x) == [0.5]
    np.testing.assert_allclose([bar.error_x.array[0], bar.error_x.arrayminus[0]], [0.2, 0.1])


def test_stages_are_a_table_of_words():
    @dataclass
    class Stage:
        name: str = NASTY
        trains: tuple = ("",)
        freezes: tuple = ("pose",)
        loss: str = "loss"
        epochs: int = 30
        optimizer: dict = field(default_factory=lambda: {"name": "sgd", "lr": 0.1})
        schedule: dict = field(default_factory=lambda: {"name": "constant"})

    cells = [column[0] for column in training.stages([Stage()]).data[0].cells.values]
    assert cells == [ESCAPED, "everything", "pose", "loss", "30", "sgd: lr 0.1", "constant"]


def test_a_station_with_other_axes_is_refused():
    with pytest.raises(ValueError, match="axes 'T H'"):
        flow.step("x", MAP, "T H", "")
    with pytest.raises(ValueError, match="known: video, pose, both"):
        flow.step("x", MAP, "T' H' W'", "", "sound")


def test_pictures_in_figures_stay_small_and_offline():
    figure = flow.frames(CLIP)
    assert isinstance(figure.data[0], go.Image) and figure.data[0].source.startswith("data:image/jpeg;base64,")
    assert "http" not in figure.to_json().replace("http://www.w3.org", "")


def test_the_truth_is_outlined_while_it_makes_the_label():
    drawn = attention._outlined(CLIP.frames, TRUTH)
    changed = (drawn != CLIP.frames).any((1, 2, 3))
    assert changed.tolist() == TRUTH.moment.tolist() == [False, False, True, True, True] + [False] * 3
    assert drawn[2][4, 6].tolist() == [0, 255, 150]


def test_accuracy_against_time_tells_given_poses_from_found_ones():
    columns = ["system", "reads", "accuracy", "accuracy_sd", "network_ms", "pose_ms"]
    rows = [["I3D", "video alone", 51.0, 1.0, 40.0, 0.0], [NASTY, "video and poses", 55.0, np.nan, 45.0, 286.0]]
    systems = pd.DataFrame(rows, columns=columns)
    figure = costs.against_time(systems, "poses by hand")
    marks = {trace.name: trace for trace in figure.data if trace.mode and "markers" in trace.mode}
    assert list(marks["video and poses"].x) == [331.0] and list(marks["video and poses, poses given"].x) == [45.0]
    assert "video alone, poses given" not in marks and list(marks["video alone"].x) == [40.0]
    assert marks["video and poses"].text[0] == ESCAPED and list(marks["video and poses"].error_y.array) == [0.0]
    assert "poses by hand" in figure.layout.title.text


def test_a_step_without_values_is_left_out():
    known = flow.step("clip", np.zeros((2, 3)), "T V", "pixels")
    assert flow.shapes([known, flow.step("pose", None, "T V", "metres")]) == flow.shapes([known])
