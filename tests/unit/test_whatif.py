"""What if: what each change does to the clip, what is run again, and what is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.whatif import HIPS, SKELETON, Toy, body, sample
from workbench import metrics
from workbench.explain.interventions import Cover, Drop, Freeze, Jitter, Mirror, Move, Shuffle, Transplant
from workbench.explain.outputs import ask
from workbench.explain.reuse import Reuse
from workbench.explain.what_if import WhatIf, table
from workbench.explain.what_if_clip import Subject, affine
from workbench.systems import build, detects, names
from workbench.types import Batch, Output

HAND = SKELETON.index("hand_right")


@pytest.fixture
def subject() -> Subject:
    given = sample()
    return Subject(given.batch.to("cpu"), SKELETON, given.pixels, given.pose_numbers)


@pytest.fixture
def session() -> WhatIf:
    return WhatIf(Toy(), sample(), SKELETON, ["a", "b", "c"], metrics.attention.grade)


def full_batch(seed: int = 0) -> Batch:
    torch.manual_seed(seed)
    pictures = {"video": (3,), "flow": (2,), "rendered": (3,), "parts": (5, 3)}
    made = {name: torch.rand(1, *size, 8, 32, 32) * 2 - 1 for name, size in pictures.items()}
    made |= {"pose": torch.randn(1, 1, 8, 25, 3), "part_truth": torch.rand(1, 3)}
    segments = {g: Batch(video=torch.rand(g, 3, 8, 32, 32), pose=torch.randn(g, 1, 8, 25, 3)) for g in (2, 3, 4)}
    other = {"trajectories": torch.randn(1, 20, 426), "segments": segments}
    return Batch(**made, **other, label=torch.zeros(1), ids=["a"])


@pytest.mark.parametrize("name", [name for name in names() if not detects(name)])
def test_reuse_answers_bit_for_bit_like_the_system(name):
    options = {"regions": ("left_hand", "right_hand", "full_body")} if name in ("p_i3d",) else {}
    torch.manual_seed(0)
    system = build(name, 4, clip=(8, 32, 32), width=0.125, output_stride=(4, 8, 8), poses=8, **options).eval()
    reuse, batch = Reuse(system), full_batch()
    if name != "two_level_fusion":
        batch = batch.replace(parts=batch.parts[:, :3])
    first = reuse(batch)
    assert reuse.ran and not set(reuse.ran) - {part for part, _ in system.named_modules()}
    for changed in (
        batch.replace(pose=batch.pose * 1.5),
        batch.replace(video=batch.video.flip(-1)),
        batch.replace(parts=batch.parts.flip(-1), rendered=batch.rendered.flip(-1)),
    ):
        mine, theirs = reuse(changed), ask(system, changed)
        assert torch.equal(mine.logits, theirs.logits) and torch.equal(mine.features, theirs.features)
        assert all(torch.equal(mine.maps[key], value) for key, value in theirs.maps.items())
    again = reuse(batch)
    assert torch.equal(again.logits, first.logits) and reuse.ran == []


def test_reuse_leaves_the_system_as_it_was():
    system, given = Toy().train(), sample().batch.to("cpu")
    Reuse(system)(given)
    assert system.training and all("forward" not in vars(part) for part in system.modules())
    broken = Reuse(system)
    with pytest.raises(TypeError):
        broken(given.replace(video=None))
    assert all("forward" not in vars(part) for part in system.modules())


def test_reuse_notices_what_was_changed_in_place():
    system, given = Toy().eval(), sample().batch.to("cpu")
    reuse = Reuse(system)
    before = reuse(given).logits
    with torch.no_grad():
        given.video.mul_(-1)
    assert torch.equal(reuse(given).logits, ask(system, given).logits) and not torch.equal(before, reuse(given).logits)

    class Careless(nn.Module):
        needs_test = frozenset({"video"})

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, batch: Batch):
            from workbench.types import Output

            said = self.layer(batch.video)
            said.add_(1)  # writes into what the layer said
            return Output(said, said)

    careless = Careless().eval()
    reuse, batch = Reuse(careless), Batch(video=torch.ones(1, 2))
    first = reuse(batch).logits.clone()
    assert torch.equal(reuse(batch).logits, first)


def test_reuse_forgets_what_nobody_needs():
    system, given = Toy().eval(), sample().batch.to("cpu")
    reuse = Reuse(system, keep=2)
    for shift in range(5):
        reuse(given.replace(pose=given.pose + shift))
    assert system.passes == 1 and max(map(len, reuse._memory.values())) == 2
    reuse.forget()
    reuse(given)
    assert system.passes == 2


def test_the_affine_map_is_found():
    joints = body()
    known = np.array([[2.0, 0.5], [-1.0, 3.0], [0.25, 0.125], [7.0, -2.0]])
    points = np.hstack([joints, np.ones((25, 1))]) @ known
    points[3] = np.nan
    np.testing.assert_allclose(affine(joints, points), known, atol=1e-5)
    assert not affine(joints[:3], points[:3]).any()


def test_a_dragged_joint_moves_on_the_picture_and_in_the_network(subject):
    start = subject.pixels.joints[0, 4, HAND]
    moved = Move("hand_right", 4, tuple(start + [5.0, -10.0]), reach=None)(subject)
    shift = moved.pixels.joints - subject.pixels.joints
    np.testing.assert_allclose(shift[0, :, HAND], np.tile([5.0, -10.0], (8, 1)), atol=1e-4)
    assert not np.delete(shift, HAND, axis=2).any()
    bodies = moved.bodies - subject.bodies
    np.testing.assert_allclose(bodies[0, :, HAND], np.tile([0.5, 1.0, 0.0], (4, 1)), atol=1e-4)  # metres, y up
    assert np.nan_to_num(np.delete(bodies, HAND, axis=2)).max() == 0


def test_a_drag_reaches_its_neighbours_in_time(subject):
    assert subject.steps.tolist() == [0, 2, 4, 6]
    start = subject.pixels.joints[0, 4, HAND]
    for reach, shares in ((0.0, [0, 0, 1, 0]), (2.0, np.exp([-2, -0.5, 0, -0.5]))):
        moved = Move("hand_right", 4, tuple(start + [10.0, 0.0]), reach=reach)(subject)
        np.testing.assert_allclose((moved.bodies - subject.bodies)[0, :, HAND, 0], shares, atol=1e-4)


def test_a_joint_is_dropped_as_the_loader_would_tell_it(subject):
    dropped = Drop(("hand_right", "head"), (0, 4))(subject)
    pose, rest = dropped.batch.pose[0, 0], subject.batch.pose[0, 0]
    assert not pose[:2, [HAND, 3]].any() and torch.equal(pose[2:], rest[2:])
    assert torch.equal(pose[:, :3], rest[:, :3])
    assert np.isnan(dropped.pixels.joints[0, :4, HAND]).all() and np.isfinite(dropped.pixels.joints[0, 4:]).all()
    with pytest.raises(ValueError, match="hand_right is missing in frame 1"):
        Move("hand_right", 1, (0, 0))(dropped)


def test_a_frozen_joint_follows_the_hips(subject):
    frozen = Freeze(("hand_right",), 2)(subject)
    offsets = frozen.pixels.joints[0, :, HAND] - frozen.pixels.joints[0, :, 0]
    np.testing.assert_allclose(offsets, np.tile(offsets[2], (8, 1)), atol=1e-4)
    waving = subject.bodies
    waving[0, :, HAND] += np.arange(4)[:, None]
    held = Freeze(("hand_right",), 2)(subject.with_bodies(waving)).bodies[0, :, HAND]
    np.testing.assert_allclose(held, np.tile(waving[0, 1, HAND], (4, 1)), atol=1e-5)


def test_the_mirror_is_its_own_inverse_and_swaps_sides(subject):
    once = Mirror()(subject)
    left = SKELETON.index("hand_left")
    np.testing.assert_allclose(once.bodies[0, 0, left], body()[HAND] * [-1, 1, 1], atol=1e-5)
    hips = HIPS[0] + 3
    np.testing.assert_allclose(once.pixels.joints[0, 3, left, 0], 2 * hips - subject.pixels.joints[0, 3, HAND, 0])
    twice = Mirror()(once)
    np.testing.assert_allclose(twice.pixels.joints, subject.pixels.joints, atol=1e-4)
    assert torch.allclose(twice.batch.pose, subject.batch.pose, atol=1e-5)


def test_jitter_is_seeded_and_as_large_as_it_says(subject):
    shaken = Jitter(SKELETON.joints, 0.1, seed=1)(subject)
    again, other = Jitter(SKELETON.joints, 0.1, seed=1)(subject), Jitter(SKELETON.joints, 0.1, seed=2)(subject)
    assert torch.equal(shaken.batch.pose, again.batch.pose) and not torch.equal(shaken.batch.pose, other.batch.pose)
    tall = np.ptp(body()[:, :2], axis=0).max()
    noise = (shaken.pixels.joints - subject.pixels.joints) / 10 / tall
    assert 0.08 < noise.std() < 0.12
    one = Jitter(("head",), 0.1)(subject)
    assert torch.equal(one.batch.pose[:, :, :, :3], subject.batch.pose[:, :, :, :3])


def test_jitter_needs_no_joints_in_pixels(subject):
    plain = replace(subject, pixels=None)
    assert not torch.equal(Jitter(("head",), 0.1)(plain).batch.pose, plain.batch.pose)
    with pytest.raises(ValueError, match="nothing to drag"):
        Move("head", 0, (0, 0))(plain)


def test_a_transplant_brings_the_other_movement(subject):
    waving = subject.bodies
    waving[0, :, HAND, 1] += np.arange(4)
    donor = replace(subject.with_bodies(waving), pixels=subject.pixels.with_joints(subject.pixels.joints * 2))
    given = Transplant(("hand_right",), donor)(subject)
    np.testing.assert_allclose(given.bodies[0, :, HAND], waving[0, :, HAND], atol=1e-5)
    assert torch.equal(given.batch.pose[:, :, :, HAND + 1 :], subject.batch.pose[:, :, :, HAND + 1 :])
    np.testing.assert_allclose(given.pixels.joints, subject.pixels.joints, atol=1e-3)  # twice as tall, brought back
    with pytest.raises(ValueError, match="can't be given"):
        Transplant(("hand_right",), Subject(Batch(ids=["x"])))(subject)


def test_shuffled_time_keeps_what_there_is(subject):
    change = Shuffle("both", seed=4)
    order, mixed = change.order(8), change(subject)
    assert sorted(order) == list(range(8)) and order.tolist() != list(range(8))
    assert torch.equal(mixed.batch.video, subject.batch.video[:, :, order])
    np.testing.assert_array_equal(mixed.pixels.joints, subject.pixels.joints[:, order])
    posed = Shuffle("pose", 4)(subject)
    assert posed.batch.video is subject.batch.video
    marked = subject.batch.replace(pose=torch.arange(4.0).view(1, 1, 4, 1, 1).expand(1, 1, 4, 25, 3) + 1)
    values = Shuffle("pose", 4)(replace(subject, batch=marked)).batch.pose[0, 0, :, 0, 0]
    assert sorted(values.tolist()) == [1, 2, 3, 4]
    assert Shuffle("video", 4)(subject).batch.pose is subject.batch.pose


@pytest.mark.parametrize("fill", ["mean", "black", "blur"])
def test_a_cover_covers_its_box_and_its_frames_only(subject, fill):
    covered = Cover((2.0, 4.0, 9.0, 10.0), (1, 3), fill)(subject).batch.video
    different = (covered != subject.batch.video).any(1)[0]
    inside = torch.zeros_like(different)
    inside[1:3, 4:10, 2:9] = True
    assert not different[~inside].any() and different[inside].float().mean() > 0.9
    if fill == "mean":
        torch.testing.assert_close(covered[0, :, 1, 4, 2], subject.batch.video[0].mean((1, 2, 3)))
    if fill == "black":
        assert (covered[0, :, 1:3, 4:10, 2:9] == -1).all()
    assert (subject.batch.video[0, :, 1, 4, 2] == sample().batch.to("cpu").video[0, :, 1, 4, 2]).all()


def test_a_cover_stills_the_flow(subject):
    flow = torch.ones(1, 2, 8, 24, 24)
    covered = Cover((0, 0, 12, 24))(replace(subject, batch=subject.batch.replace(flow=flow))).batch.flow
    assert covered[..., :12].abs().max() == 0 and (covered[..., 12:] == 1).all()


@pytest.mark.parametrize(
    "change, sentence",
    [
        (Drop(("tail",)), "no joint 'tail'"),
        (Move("head", 8, (0, 0)), "frame must be from 0 to 7, got 8"),
        (Move("head", 0, (0, 0), person=1), "person must be below 1, got 1"),
        (Drop(("head",), (5, 9)), "within 0 and 8"),
        (Cover((30, 0, 40, 10)), "covers nothing of a picture of 24 x 24"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(subject, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        change(subject)


def test_an_answer_is_what_a_fresh_pass_says(session):
    changes = [Drop(("hand_right",)), Cover((0, 0, 12, 12))]
    answer = session.ask(changes)
    fresh = ask(session.system, answer.subject.batch)
    np.testing.assert_array_equal(answer.logits, fresh.logits[0].numpy())
    np.testing.assert_allclose(answer.scores.sum(), 1, rtol=1e-6)
    assert answer.label == int(answer.logits.argmax())
    np.testing.assert_array_equal(answer.maps["spatial"], fresh.maps["spatial"][0].numpy())
    graded = metrics.attention.grade(answer.maps["attention"], answer.maps["temporal"], session.truth)
    assert answer.grades == pytest.approx(graded, nan_ok=True) and set(answer.grades) == set(metrics.attention.GRADES)


def test_only_what_a_change_touches_is_run_again(session):
    assert session.system.passes == 1
    moved = session.ask([Drop(("hand_right",))])
    assert session.system.passes == 1
    assert moved.ran == ("pose_backbone", "dropout", "classifier") and moved.kept == ("backbone",)
    covered = session.ask([Cover((0, 0, 12, 12))])
    assert "backbone" in covered.ran and "pose_backbone" in covered.kept
    assert session.ask().ran == () and session.ask().milliseconds > 0


def test_what_only_the_loader_can_make_is_told():
    system = Toy()
    system.needs_test = frozenset({"video", "pose", "parts"})
    session = WhatIf(system, sample(), SKELETON)
    assert session.ask([Mirror()]).untouched == ("parts",)
    assert session.ask([Cover((0, 0, 9, 9))]).untouched == ("parts",)
    assert session.ask().untouched == () and session.ask().grades == {}
    assert table(session, {"nothing": [], "mirrored": [Mirror()]})["untouched"].tolist() == ["", "parts"]
    assert "untouched" not in table(session, {"nothing": []})


def test_a_drawn_pose_is_drawn_again():
    class Drawn(Toy):
        needs_test = frozenset({"rendered"})

        def forward(self, batch: Batch):
            return super().forward(batch.replace(video=batch.rendered))

    given = sample()
    drawn = torch.zeros_like(given.batch.video)
    given.batch = given.batch.replace(rendered=drawn)

    def redraw(frames: np.ndarray, pose) -> np.ndarray:
        return np.full_like(frames, 255 if np.isnan(pose.joints).any() else 0)

    session = WhatIf(Drawn(), given, SKELETON, redraw=redraw)
    answer = session.ask([Drop(("head",))])
    assert (answer.subject.batch.rendered == 1).all() and answer.untouched == ()
    assert WhatIf(Drawn(), given, SKELETON).ask([Drop(("head",))]).untouched == ("rendered",)


def test_a_session_is_about_one_clip():
    given = sample()
    given.batch = Batch(video=given.batch.video.expand(2, -1, -1, -1, -1), pose=given.batch.pose, ids=["a", "b"])
    with pytest.raises(ValueError, match="one clip at a time, got a batch of 2"):
        WhatIf(Toy(), given, SKELETON)


def test_what_a_module_is_given_may_be_a_whole_output():
    """As the ceiling of a distilled student is given what its teacher said."""
    from workbench.explain.reuse import _same, _versions
    from workbench.types import Output

    said = Output(torch.ones(2, 3), torch.zeros(2, 4), {"temporal": torch.ones(2, 2)})
    again = Output(torch.ones(2, 3), torch.zeros(2, 4), {"temporal": torch.ones(2, 2)})
    other = Output(torch.ones(2, 3), torch.zeros(2, 4), {"temporal": torch.zeros(2, 2)})
    assert _same([said], [again]) and not _same([said], [other]) and len(_versions([said])) == 3


class Segmented(Toy):
    """Adds what each of two segments of the video would be taken for by itself."""

    needs_test = frozenset({"video", "pose", "segments"})

    def forward(self, batch: Batch):
        whole = super().forward(batch)
        parts = [super(Segmented, self).forward(batch.segment(2, i)) for i in range(2)]
        return replace(whole, logits=whole.logits + sum(part.logits for part in parts))


def segmented_sample():
    """A clip whose two segments have other pictures and poses than it."""
    given = sample()
    size = (2, *given.batch.video.shape[1:])
    video = torch.from_numpy(np.random.default_rng(1).integers(0, 255, size, dtype=np.uint8))
    pose = torch.cat([given.batch.pose * 0.5, given.batch.pose * 2])
    given.batch = given.batch.replace(segments={2: Batch(video=video, pose=pose)})
    return given


def test_a_change_reaches_the_segments_of_the_video():
    given = segmented_sample()
    asked = WhatIf(Segmented(), given, SKELETON, ["a", "b", "c"])
    answer = asked.ask([Drop(("hand_right",)), Cover((0, 0, 9, 9), fill="black")])

    def by_hand(batch: Batch) -> Batch:
        pose, video = batch.pose.clone(), batch.video.float() / 127.5 - 1
        pose[:, :, :, HAND], video[..., :9, :9] = 0, -1
        return batch.replace(pose=pose, video=video)

    segments = {2: by_hand(given.batch.segments[2])}
    expected = ask(asked.system, by_hand(given.batch).replace(segments=segments))
    np.testing.assert_allclose(answer.logits, expected.logits[0].numpy(), rtol=1e-5, atol=1e-6)
    assert answer.untouched == () and np.abs(answer.logits - asked.original.logits).max() > 0.01
    assert torch.equal(asked.subject.batch.segments[2].pose, given.batch.segments[2].pose)


def test_a_change_of_moments_is_refused_where_segments_have_other_ones():
    asked = WhatIf(Segmented(), segmented_sample(), SKELETON, ["a", "b", "c"])
    for change in (Freeze(("head",)), Shuffle("video"), Cover((0, 0, 9, 9), frames=(0, 2)), Move("head", 0, (3, 3))):
        with pytest.raises(ValueError, match=f"{type(change).__name__} is about moments of .* but Segmented also"):
            asked.ask([change])
    found = table(asked, {"nothing": [], "frozen": [Freeze(("head",))], "mirrored": [Mirror()]})
    assert found["answer"][1].startswith("can't be asked: Freeze is about moments")
    assert np.isnan(found["score"][1]) and found["score"][[0, 2]].notna().all()


def test_the_truth_that_guides_goes_where_its_frames_go():
    """A ceiling reads the known truth and no poses: joints count for nothing, and shuffled frames keep their truth."""

    class Guided(Toy):
        needs_test = frozenset({"video", "truth"})

        def forward(self, batch: Batch):
            return Output((batch.video * batch.truth[:, None]).sum((2, 3, 4)), batch.truth.sum((2, 3)))

    given = sample()
    truth = torch.from_numpy(given.truth.mask.astype(np.float32))[None]
    given.batch = given.batch.replace(truth=truth, pose=None)
    asked = WhatIf(Guided(), given, SKELETON)
    shuffled = asked.ask([Shuffle("video", seed=1)])
    np.testing.assert_allclose(shuffled.logits, asked.original.logits, rtol=1e-4)
    assert not torch.equal(shuffled.subject.batch.truth, truth)
    assert (asked.ask([Drop(("head",))]).logits == asked.original.logits).all()
