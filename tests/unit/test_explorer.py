"""The explorer, the microscope and the linked views: what they show, and what happens when somebody acts."""

from __future__ import annotations

from types import SimpleNamespace

import ipywidgets
import numpy as np
import pytest
import torch

from tests.whatif import SKELETON, Toy, sample
from workbench import metrics
from workbench.explain import embeddings
from workbench.explain.interventions import Cover, Drop, Mirror, Move, Shuffle
from workbench.explain.what_if import Redrawn, WhatIf
from workbench.explain.what_if_clip import Subject
from workbench.show import session as sessions
from workbench.show.explorer import FOLLOWS, STAYS, Explorer, signed, summary
from workbench.show.linked_views import Linked
from workbench.show.microscope import microscope, rms, stations
from workbench.show.player import Player

HAND = SKELETON.index("hand_right")


def ask(system: torch.nn.Module | None = None) -> WhatIf:
    return WhatIf(system or Toy(), sample(), SKELETON, ["<b>a</b>", "b", "c"], metrics.attention.grade)


@pytest.fixture
def explorer() -> Explorer:
    donor = sample()
    donors = {"other": Subject(donor.batch.to("cpu"), SKELETON, donor.pixels, donor.pose_numbers)}
    return Explorer({"toy": ask()}, donors, "what if")


def drag(explorer: Explorer, x: float, y: float, done: bool, frame: int = 4) -> None:
    edit = {"kind": "joint", "person": 0, "joint": HAND, "frame": frame, "x": x, "y": y, "done": done}
    explorer.player._handle_custom_msg(edit, [])


def test_a_drag_is_one_change_and_its_answer_is_shown(explorer):
    before = explorer.player._scene
    explorer.moves.value = "joint"
    for x in (12.0, 14.0, 16.0):
        drag(explorer, x, 3.0, done=x == 16)
    [change] = explorer.changes
    assert change == Move("hand_right", 4, (16.0, 3.0), 0, 2.0) and explorer.error is None
    scene = explorer.player._scene
    np.testing.assert_allclose(scene["pose"]["joints"][0][4][HAND], [16, 3], atol=0.05)
    assert scene["ghost"] == before["pose"]["joints"] and before["ghost"] is None
    assert scene["tracks"][0]["maps"]["attention"]["data"] != before["tracks"][0]["maps"]["attention"]["data"]
    expected = ask().ask([change])
    told = {row["name"]: row["value"] for row in scene["tracks"][0]["scores"]}
    for name, score in zip(["<b>a</b>", "b", "c"], expected.scores, strict=True):
        assert told[name] == pytest.approx(score, abs=1e-4)
    assert "kept backbone" in scene["tracks"][0]["note"] and "inside share" in scene["tracks"][0]["note"]
    drag(explorer, 2.0, 2.0, done=True, frame=0)
    assert len(explorer.changes) == 2


def test_a_drag_moves_the_limb_or_the_whole_body(explorer):
    joints = np.array(explorer.player._scene["pose"]["joints"])[0, 4]
    elbow, shoulder = SKELETON.index("elbow_right"), SKELETON.index("shoulder_right")
    drag(explorer, 20.0, 3.0, done=True)
    assert explorer.changes == [Move("hand_right", 4, (20.0, 3.0), 0, 2.0, "limb")] and explorer.error is None
    moved = np.array(explorer.player._scene["pose"]["joints"])[0, 4]
    np.testing.assert_allclose(moved[shoulder], joints[shoulder])
    assert np.abs(moved[elbow] - joints[elbow]).max() > 0.1 and np.abs(moved[HAND] - joints[HAND]).max() > 1
    upper = [np.linalg.norm(pose[elbow] - pose[shoulder]) for pose in (joints, moved)]
    assert upper[0] == pytest.approx(upper[1], abs=0.15)  # the scene has a digit behind the point
    explorer.reset()
    explorer.moves.value = "body"
    drag(explorer, *(joints[HAND] + [2.0, 1.0]), done=True)
    np.testing.assert_allclose(
        np.array(explorer.player._scene["pose"]["joints"])[0, 4] - joints, [[2, 1]] * 25, atol=0.11
    )


def test_a_network_that_does_not_use_the_pose_is_told_of_in_words():
    deaf = Toy()
    torch.nn.init.zeros_(deaf.pose_backbone.weight)
    pair = Explorer({"hears": ask(), "deaf": ask(deaf)})
    assert not any("does not use" in track["note"] for track in pair.player._scene["tracks"])
    pair.apply(Mirror())
    hears, deaf = (track["note"] for track in pair.player._scene["tracks"])
    assert "does not use" not in hears
    assert deaf.startswith("this network does not use the pose here: no score changes by 0.0005 (the largest by 0)")
    pair.apply(Cover((0, 0, 24, 24), fill="black"))  # now the picture changes too
    assert "does not use" not in pair.player._scene["tracks"][1]["note"]


def test_a_covered_region_and_a_shuffle_show_on_the_picture(explorer):
    explorer.fill.value = "black"
    explorer.player._handle_custom_msg({"kind": "cover", "box": [2, 2, 9, 9], "frame": 0}, [])
    explorer.buttons["shuffle"].click()
    assert explorer.changes == [Cover((2, 2, 9, 9), fill="black"), Shuffle("both", 1)]
    scene = explorer.player._scene
    assert scene["covers"] == [{"box": [2.0, 2.0, 9.0, 9.0], "span": [0, 8], "color": "rgb(0 0 0)"}]
    assert scene["order"] == Shuffle("both", 1).order(8).tolist()
    explorer.undo()
    assert len(explorer.changes) == 1 and explorer.player._scene["order"] == list(range(8))
    explorer.reset()
    assert explorer.changes == [] and explorer.player._scene["covers"] == []
    assert explorer.player._scene["tracks"][0]["scores"][0]["before"] is None


def test_every_button_makes_its_change(explorer):
    explorer.joints.value = ("hand_right", "head")
    explorer.player.frame = 3
    for name in ("drop", "undo", "freeze", "jitter", "mirror", "transplant", "shuffle"):
        explorer.buttons[name].click()
        assert explorer.error is None, name
    kinds = [type(change).__name__ for change in explorer.changes]
    assert kinds == ["Freeze", "Jitter", "Mirror", "Transplant", "Shuffle"]
    assert explorer.changes[0].frame == 3 and explorer.changes[0].joints == ("hand_right", "head")
    told = explorer._list.value
    assert "freeze hand_right, head 3" in told and "transplant hand_right, head" in told


def test_what_cannot_be_done_is_told_and_the_answer_stays(explorer):
    explorer.apply(Drop(("hand_right",)))
    scene = explorer.player._scene
    drag(explorer, 1.0, 1.0, done=True)
    assert "hand_right is missing" in str(explorer.error) and "role=" in explorer._message.value
    assert explorer.changes == [Drop(("hand_right",))]
    assert explorer.player._scene["tracks"] == scene["tracks"]
    assert explorer.player._scene["update"] == scene["update"] + 1  # the player is told all the same
    explorer.apply(Mirror())
    assert explorer.error is None and explorer._message.value == ""


def followed(words: str = "") -> tuple[Explorer, list]:
    """An explorer whose picture follows: drawn again, it is black; and what it was asked to draw."""
    asked = []

    def redraw(changes):
        asked.append(list(changes))
        return Redrawn("black" if changes else None, words)

    def cut(source: str):
        black = sample()
        black.clip.frames[:], black.batch = 0, black.batch.replace(video=torch.zeros_like(black.batch.video))
        return black

    pair = {name: WhatIf(Toy(), sample(), SKELETON, ["a", "b", "c"], cut=cut) for name in ("one", "two")}
    return Explorer(pair, redraw=redraw), asked


def test_the_picture_follows_when_the_hand_lets_go():
    explorer, asked = followed()
    drag(explorer, 14.0, 3.0, done=True)
    assert asked == [] and len(explorer.player._scene["tracks"]) == 2
    explorer.follow.value = FOLLOWS
    tracks = explorer.player._scene["tracks"]
    assert asked == [explorer.changes] and [track["before"] for track in tracks] == [True, False, False] * 2
    pictures = explorer.player._frames
    assert len(pictures) == 16 and [track["first"] for track in tracks] == [0, 0, 8] * 2  # drawn once for both
    for x in (12.0, 16.0):
        drag(explorer, x, 3.0, done=False)
    assert len(asked) == 1 and explorer.player._frames == pictures
    last = explorer.player._scene["tracks"][2]
    assert last["note"].startswith("not drawn yet") and last["scores"] == []
    drag(explorer, 15.0, 3.0, done=True)
    assert asked[1:] == [explorer.changes] and len(explorer.changes) == 2
    name, session = "one", explorer.sessions["one"]
    black = session.cut("black")
    assert np.array_equal(explorer.drawn[name].logits, session.ask(explorer.changes, black).logits)
    was, moved, drawn = (
        {row["name"]: row for row in track["scores"]} for track in explorer.player._scene["tracks"][:3]
    )
    for letter, score in zip("abc", explorer.drawn[name].scores, strict=True):
        assert drawn[letter]["value"] == pytest.approx(score, abs=1e-6)
        assert drawn[letter]["before"] == pytest.approx(session.original.scores["abc".index(letter)], abs=1e-6)
        assert was[letter]["before"] is None
    explorer.reset()
    assert "the picture is as it was" in explorer.player._scene["tracks"][2]["note"]
    assert len(explorer.player._frames) == 8
    explorer.follow.value = STAYS
    assert [track["title"] for track in explorer.player._scene["tracks"]] == ["one", "two"]


def test_what_the_poses_do_and_what_the_picture_does_is_told_in_words():
    explorer, _ = followed("a dropped joint is not drawn")
    explorer.follow.value = FOLLOWS
    explorer.apply(Drop(SKELETON.joints))
    note = explorer.player._scene["tracks"][2]["note"]
    session = explorer.sessions["one"]
    label = session.original.label
    scores = [one.scores[label] for one in (session.original, explorer.answers["one"], explorer.drawn["one"])]
    assert note.startswith("a dropped joint is not drawn; ")
    steps = [signed(step) for step in np.diff(scores)]
    assert min(abs(step) for step in np.diff(scores)) > 5e-4
    told = f"{scores[0]:.2f} → {scores[2]:.2f}: the poses change it by {steps[0]}, the picture changes it by {steps[1]}"
    assert told in note


def test_what_cannot_be_drawn_again_is_told_and_the_poses_stay_moved():
    explorer, _ = followed()

    def fail(changes):
        raise ValueError("the world is <gone>")

    explorer._redraw = fail
    explorer.follow.value = FOLLOWS
    explorer.apply(Mirror())
    assert str(explorer.error) == "the world is <gone>" and "&lt;gone&gt;" in explorer._message.value
    assert explorer.changes == [Mirror()] and explorer.player._scene["tracks"][2]["note"].startswith("not drawn yet")
    with pytest.raises(ValueError, match="the picture can't follow in toy: the session does not say how to cut it"):
        Explorer({"toy": ask()}, redraw=fail)


def test_runs_side_by_side_get_the_same_changes():
    other = Toy()
    torch.nn.init.zeros_(other.pose_backbone.weight)
    pair = Explorer({"one": ask(), "two": ask(other)})
    pair.apply(Drop(SKELETON.joints))
    tracks = pair.player._scene["tracks"]
    assert [track["title"] for track in tracks] == ["one", "two"]
    assert all(answer.subject.batch.pose.abs().max() == 0 for answer in pair.answers.values())
    with pytest.raises(ValueError, match="one to four runs, got 0"):
        Explorer({})
    strange = sample()
    strange.clip.frames[:] = 0
    with pytest.raises(ValueError, match="the same clip"):
        Explorer({"one": ask(), "two": WhatIf(Toy(), strange, SKELETON)})


def test_a_system_without_maps_or_poses_can_be_explored():
    class Plain(Toy):
        needs_test = frozenset({"video"})

        def forward(self, batch):
            output = super().forward(batch)
            output.maps.clear()
            return output

    given = sample()
    given.pixels = None
    plain = Explorer({"plain": WhatIf(Plain(), given, None, None)})
    assert plain.player._scene["tools"] == ["cover"] and plain.buttons["drop"].disabled
    assert plain.player._scene["tracks"][0]["lacks"] == ["attention", "spatial"]
    plain.apply(Cover((0, 0, 5, 5)))
    assert plain.error is None and plain.player._scene["tracks"][0]["scores"][0]["name"].startswith("class ")


def test_headless_the_player_stands_alone(explorer, monkeypatch):
    monkeypatch.setattr(sessions, "attended", lambda: False)
    data = explorer._repr_mimebundle_()[0]
    assert "data-player" in data["text/html"] and '"tools":[]' in data["text/html"]


def test_a_change_in_words():
    assert summary(Mirror()) == "mirror" and summary(Drop(("a", "b"))) == "drop a, b"
    assert summary(Move("a", 3, (1.5, 2.25), reach=None)) == "move a 3 1.5, 2.25 0 joint"


def test_a_change_of_a_score_has_two_digits():
    assert [signed(change) for change in (-0.204, 0.01, 0.00512, -0.000123)] == [
        "−0.20",
        "+0.01",
        "+0.0051",
        "−0.00012",
    ]


def test_the_microscope_shows_every_station_and_its_numbers():
    asked = ask()
    maps, logits = asked.original.maps, asked.original.logits
    tracks = stations(asked.system, maps, logits, asked.classes, label=1)
    assert [track.pin for track in tracks] == ["", "feature map", "weights", "modulated", "difference", "contributions"]
    found = {track.pin: track.maps[track.pin] for track in tracks[1:]}
    np.testing.assert_allclose(found["difference"], rms(maps["modulated"]) - rms(maps["feature_map"]), rtol=1e-5)
    np.testing.assert_array_equal(found["weights"], maps["attention"])
    bias = asked.system.classifier.bias[1].item()
    np.testing.assert_allclose(found["contributions"].sum() + bias, logits[1], rtol=1e-4)
    player = microscope(asked.sample, tracks, "title")
    assert [track["pin"] for track in player._scene["tracks"]] == [track.pin for track in tracks]
    bare = stations(asked.system, {}, logits, asked.classes)
    assert [track.maps.get(track.pin) for track in bare[1:]] == [None] * 5 and "exact share" in bare[-1].note


class TestLinked:
    ids = [f"clip {i}" for i in range(8)]
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    predictions = np.array([0, 1, 1, 1, 0, 2, 2, 2])

    @pytest.fixture
    def linked(self) -> Linked:
        features = np.random.default_rng(0).normal(size=(8, 4))
        order = [7, 6, 5, 4, 3, 2, 1, 0]
        second = ([self.ids[i] for i in order], features[order] * 2)
        compared = embeddings.compare((self.ids, features), second, "pca")
        self.opened = []
        return Linked(self.ids, self.labels, self.predictions, ["a", "<i>b</i>", "c"], compared, self.open)

    def open(self, name: str) -> ipywidgets.Widget:
        self.opened.append(ipywidgets.HTML(name))
        return self.opened[-1]

    def test_a_cell_lists_its_clips_marks_them_and_opens_one(self, linked):
        linked._clicked(None, SimpleNamespace(point_inds=[(0, 1)]), None)
        assert linked.chosen == ["clip 1", "clip 2"] == [value for _, value in linked.list.options]
        assert linked.list.options[0][0] == "clip 1: a; predicted <i>b</i>"
        assert linked._words.value == "a classified as &lt;i&gt;b&lt;/i&gt;: 2 clips"
        assert [trace.selectedpoints for trace in linked.plane.data] == [(1, 2), (1, 2)]
        assert linked.opened == "clip 1" and linked._view.children == (self.opened[-1],)
        linked.list.value = "clip 2"
        assert linked.opened == "clip 2" and self.opened[-2].comm is None  # the one before is closed

    def test_a_lasso_lists_its_clips(self, linked):
        linked._circled(None, SimpleNamespace(point_inds=[5, 0]), None)
        assert linked.chosen == ["clip 5", "clip 0"] and linked.opened == "clip 5"

    def test_an_empty_cell_clears_the_choice(self, linked):
        linked.cell(0, 1)
        assert linked.cell(2, 0) == [] and linked.opened is None and linked._view.children == ()

    def test_alike_features_do_not_move(self, linked):
        np.testing.assert_allclose(linked.plane.data[0].x, linked.plane.data[1].x, atol=1e-4)

    def test_a_player_is_opened(self):
        found = embeddings.embed(np.random.default_rng(0).normal(size=(8, 4)), "pca")
        clip = sample().clip
        linked = Linked(self.ids, self.labels, self.predictions, ["a", "b", "c"], found, lambda name: Player(clip))
        linked.cell(2, 2)
        assert isinstance(linked._view.children[0], Player) and len(linked.plane.data) == 1
        with pytest.raises(ValueError, match="of the same clips, got 7 clips"):
            Linked(self.ids[:7], self.labels, self.predictions, ["a"], found, Player)
