"""Films, GIFs and pictures that are opened again: sizes, colours, times, and what a player or figure looks like."""

from __future__ import annotations

from dataclasses import replace

import av
import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

from tests.fixtures import fake_synthadl
from workbench.commands import main
from workbench.media import films, rendering
from workbench.show import saving, stills
from workbench.show.player import Edited, Player, Track
from workbench.types import Clip, Pose, Skeleton, Truth

RED, BLUE = (220, 30, 20), (20, 40, 230)


def two_colours(count: int = 12, height: int = 31, width: int = 47) -> np.ndarray:
    """Red on the left and blue on the right, exchanged halfway."""
    frames = np.empty((count, height, width, 3), np.uint8)
    frames[:, :, : width // 2], frames[:, :, width // 2 :] = RED, BLUE
    frames[count // 2 :] = frames[count // 2 :, :, ::-1]
    return frames


def test_a_film_is_what_ordinary_players_open_and_odd_sides_are_continued(tmp_path):
    path = films.write(tmp_path / "a.mp4", iter(two_colours()), 25)
    with av.open(str(path)) as film:
        (stream,) = film.streams
        shown = [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.average_rate) == (48, 32, 25)
    assert len(shown) == 12
    assert (
        np.abs(shown[0][16, 8].astype(int) - RED).max() < 25 and np.abs(shown[11][16, 8].astype(int) - BLUE).max() < 25
    )


@pytest.mark.parametrize(("fps", "frames"), [(25, 12), (30, 12), (7, 12), (240, 3)])
def test_a_gif_loops_keeps_its_colours_and_lasts_as_long(tmp_path, fps, frames):
    """240 frames a second is faster than a browser shows: every fifth or so is left, 0.05 s in all."""
    pictures = two_colours()
    for number in range(12):
        pictures[number, 20:24, 3 * number : 3 * number + 4] = 255
    path = films.write(tmp_path / "a.gif", pictures, fps)
    with Image.open(path) as gif:
        assert gif.info["loop"] == 0 and gif.size == (47, 31) and gif.n_frames == frames
        times = []
        for number in range(gif.n_frames):
            gif.seek(number)
            times.append(gif.info["duration"])
            if number == 0:
                assert np.abs(np.array(gif.convert("RGB").getpixel((5, 5))) - RED).max() < 12
    assert min(times) >= 20 and abs(sum(times) - 12_000 / fps) <= 10


def test_a_picture_is_one_frame_of_them(tmp_path):
    frames = two_colours()
    for still, shown in ((0, 0), (7, 7), (99, 11)):
        assert (np.array(Image.open(films.write(tmp_path / "a.png", frames, 25, still))) == frames[shown]).all()


@pytest.mark.parametrize("suffix", films.SUFFIXES)
def test_what_cannot_be_written_is_a_sentence_and_leaves_nothing(tmp_path, suffix):
    blocked = tmp_path / "file"
    blocked.write_text("mine")
    with pytest.raises(OSError, match="can't be written"):
        films.write(blocked / f"a{suffix}", two_colours(), 25)
    with pytest.raises(ValueError, match="there are no frames to write"):
        films.write(tmp_path / f"a{suffix}", [], 25)
    with pytest.raises(ValueError, match="fps must be positive, got 0"):
        films.write(tmp_path / f"a{suffix}", two_colours(), 0)
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and blocked.read_text() == "mine"


def test_another_suffix_names_the_valid_ones(tmp_path):
    with pytest.raises(ValueError, match=r"a.avi must end in one of .mp4, .gif, .png"):
        films.write(tmp_path / "a.avi", two_colours(), 25)
    with pytest.raises(ValueError, match=r"a must end in one of .html, .mp4, .gif, .png"):
        saving.save(go.Figure(), tmp_path / "a")


# Variants


def test_the_words_of_a_variant():
    assert rendering.read_variant("black-dot-coarse-uniform") == {
        "background": "black", "marker": "dot", "colors": "coarse", "ratio_aware": False,
    }  # fmt: skip
    assert rendering.read_variant("x2.5-#FF0000-#00ff00") == {"thickness": 2.5, "palette": ["#ff0000", "#00ff00"]}
    for wrong in ("", "frames", "black-", "x0", "x", "#ff00", "video-black", "black dot"):
        with pytest.raises(ValueError, match="unknown variant .* words joined by|written #rrggbb"):
            rendering.read_variant(wrong)
    with pytest.raises(ValueError, match="'black-frame' chooses background twice"):
        rendering.read_variant("black-frame")


def test_thickness_and_palette_are_seen():
    """An upright bone in the middle of a black picture: twice as thick, and in the colour that is asked for."""
    skeleton = Skeleton.named("coco_17")
    joints = np.full((1, 1, 17, 2), np.nan, np.float32)
    child, parent = skeleton.bones[0]
    joints[0, 0, child], joints[0, 0, parent] = (200, 40), (200, 360)
    frames, pose = np.zeros((1, 400, 400, 3), np.uint8), Pose(joints, skeleton, "image", np.arange(1))
    plain, thick = (rendering.draw(frames, pose, "black", thickness=by)[0, 200].max(1) for by in (1, 2))
    assert [(row > 100).sum() for row in (plain, thick)] == pytest.approx([16, 32], abs=2)  # a twentieth of 320
    assert tuple(rendering.draw(frames, pose, "black", palette=["#0a0bff"])[0, 200, 200]) == (10, 11, 255)
    with pytest.raises(ValueError, match="thickness must be above 0, got -1"):
        rendering.draw(frames, pose, thickness=-1)


# Stills of players


def player_of(count: int = 8, **parts: object) -> Player:
    clip = Clip(np.full((count, 60, 80, 3), 90, np.uint8), np.arange(count), 8.0, source="clip.mp4")
    return Player(clip, **parts)


def test_a_player_opens_at_the_peak_of_what_it_shows():
    heat = np.zeros((4, 3, 4))
    heat[2, 1, 3] = 1  # the third of four steps of two frames
    moment = Truth(np.zeros(25, bool), np.zeros((8, 60, 80), bool), np.zeros((8, 4), np.float32), (6, 8), np.arange(8))
    assert player_of(maps={"attention": heat}, truth=moment).frame in (4, 5)
    assert player_of(maps={"attention": -heat}).frame in (4, 5)
    assert player_of(maps={"spatial": heat[2]}, temporal={"temporal": [1, 9, 2, 3]}).frame in (2, 3)
    assert player_of(maps={"attention": None}, truth=moment).frame == 7
    assert player_of(temporal={"temporal": [1, 1]}).frame == 4 == player_of().frame


def test_a_still_shows_the_map_where_it_is_hot():
    heat = np.zeros((4, 3, 4))
    heat[2, 1, 3] = 1
    player = player_of(maps={"attention": heat})
    picture, zoom = player.still(), stills.WIDEST // 80 + 1
    left, top = stills.GAP, stills.GAP
    hot, cold = (picture[top + 30 * zoom, left + x * zoom].astype(int) for x in (70, 10))
    assert np.ptp(hot) > 60 and np.ptp(cold) < 20
    assert np.ptp(player.still(0)[top + 30 * zoom, left + 70 * zoom].astype(int)) < 20


def test_a_missing_map_is_said_below_the_picture_and_scores_with_their_change():
    """As the player does: what is said never lies over the picture."""
    track = Track("rgb", scores=[("clap", 0.98, 1.0)])
    plain = player_of(tracks=[track]).still()
    lacking = player_of(tracks=[replace(track, maps={"attention": None})]).still()
    assert lacking.shape == (plain.shape[0] + stills.LINE, *plain.shape[1:])
    top, tall = stills.GAP + stills.LINE, 60 * (stills.WIDEST // 80 + 1)
    np.testing.assert_array_equal(lacking[: top + tall], plain[: top + tall])
    assert stills._answer("clap", 0.98, 1.0) == "clap 0.98 (−0.02)"
    assert stills._answer("stir", 0.00082, 0.0003) == "stir 0.00082 (+0.00052)"
    assert stills._answer("sit", 0.0, None) == "sit 0.00"


def test_a_picture_draws_its_frame_alone(tmp_path, monkeypatch):
    player, drawn = player_of(), []
    player.frame = 6
    still = Player.still
    monkeypatch.setattr(Player, "still", lambda self, frame: drawn.append(frame) or still(self, frame))
    np.testing.assert_array_equal(np.array(Image.open(player.save(tmp_path / "a.png"))), still(player, 6))
    assert drawn == [6]


def test_panes_with_frames_of_their_own_stand_side_by_side(tmp_path):
    frames = {name: np.full((8, 60, 80, 3), value, np.uint8) for name, value in (("<b>dark", 10), ("light", 240))}
    player = player_of(tracks=[Track(name, frames=one) for name, one in frames.items()], title="Zwei Gläser 漢字")
    assert [track["first"] for track in player._scene["tracks"]] == [0, 8] and len(player._frames) == 16
    mixed = player_of(tracks=[Track("clip"), Track("own", frames=frames["light"])])
    assert [track["first"] for track in mixed._scene["tracks"]] == [0, 8] and len(mixed._frames) == 16
    picture = player.still(3)
    middle = picture[picture.shape[0] // 2]
    assert (
        middle[picture.shape[1] // 4].tolist() == [10] * 3 and middle[3 * picture.shape[1] // 4].tolist() == [240] * 3
    )
    with pytest.raises(ValueError, match="own frames must be those of the clip"):
        player_of(tracks=[Track("short", frames=frames["light"][:3])])
    for suffix in (".mp4", ".gif", ".png", ".html"):
        assert player.save(tmp_path / f"a{suffix}").stat().st_size > 500
    assert np.array(Image.open(tmp_path / "a.png")).shape == picture.shape
    text = (tmp_path / "a.html").read_text()
    assert "<b>dark" not in text and "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_pictures_are_exchanged_and_what_tracks_share_is_sent_once():
    light, dark = (np.full((8, 60, 80, 3), value, np.uint8) for value in (240, 10))
    player = player_of(tracks=[Track("was", before=True), Track("now")])
    kept = player._frames
    player.update(title="other")
    assert player._frames is kept
    now = [Track("was", before=True), Track("a", frames=light), Track("b", frames=light)]
    player.update(tracks=now)
    assert [track["first"] for track in player._scene["tracks"]] == [0, 8, 8] and player._frames[:8] == kept
    assert len(player._frames) == 16
    player.update(tracks=[*now[:2], Track("b", frames=dark)])
    assert [track["first"] for track in player._scene["tracks"]] == [0, 8, 16] and len(player._frames) == 24
    with pytest.raises(ValueError, match="one to twelve tracks side by side, got 13"):
        player.update(tracks=[Track(before=True)] * 13)


def test_a_pane_shows_the_clip_as_it_was_beside_what_was_done_to_it():
    skeleton = Skeleton.named("kinect_v2")
    left, right = (Pose(np.full((1, 8, 25, 2), x, np.float32), skeleton, "image", np.arange(8)) for x in (20, 60))
    nowhere, mask = np.full((8, 4), np.nan, np.float32), np.zeros((8, 60, 80), bool)
    truth = Truth(np.zeros(25, bool), mask, nowhere, (0, 8), np.arange(8))
    moved = replace(truth, box=np.tile(np.array([30, 5, 50, 15], np.float32), (8, 1)))
    light = np.full((8, 60, 80, 3), 240, np.uint8)
    tracks = [Track("was", before=True), Track("now"), Track("drawn", frames=light, pixels=left, truth=moved)]
    done = Edited(before=left, order=range(7, -1, -1), covers=[((0, 40, 80, 60), (0, 8), (200, 0, 0))])
    frames = np.broadcast_to(np.arange(8, dtype=np.uint8)[:, None, None, None] * 20, (8, 60, 80, 3)).copy()
    player = Player(Clip(frames, np.arange(8), 8.0), right, tracks=tracks, truth=truth, edited=done)
    scene = player._scene["tracks"]
    assert scene[2]["joints"][0][0][0] == [20, 20] and scene[0]["joints"] is None and scene[0]["before"]
    assert scene[2]["truth"]["box"][0] == [30, 5, 50, 15] and scene[1]["truth"] is None
    picture, zoom = player.still(0), -(-stills.WIDEST // 80)
    wide, top = 80 * zoom + stills.GAP, stills.GAP + stills.LINE

    def at(pane: int, x: int, y: int) -> list[int]:
        return picture[top + y * zoom, stills.GAP + pane * wide + x * zoom].tolist()

    assert at(0, 5, 50) == [0] * 3  # neither covered nor in another order
    assert at(1, 5, 50) == [200, 0, 0] == at(2, 5, 50)
    assert at(1, 5, 5) == [140] * 3 and at(2, 5, 30) == [240] * 3
    assert at(2, 30, 10) == [255] * 3 != at(1, 30, 10)  # the drawn one's truth


def test_a_long_text_ends_or_goes_on_below_and_never_leaves_the_picture():
    words = "a caption that is much longer than the picture is wide " * 4
    plain, told = (stills.page([np.zeros((50, 200, 3), np.uint8)], [words], "", below) for below in ("", words))
    assert told.shape[0] > plain.shape[0] + 4 * stills.LINE and told.shape[1] == plain.shape[1]


def test_a_figure_is_a_page_that_needs_no_network(tmp_path):
    figure = go.Figure(go.Bar(x=["a"], y=[1]), {"title": {"text": "bars"}})
    text = saving.save(figure, tmp_path / "a.html").read_text()
    assert "bars" in text and 'src="http' not in text
    with pytest.raises(ValueError, match="a player or a figure can be saved, got dict"):
        saving.save({}, tmp_path / "a.html")


def test_the_button_tells_what_it_did(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name, button, message = saving.control(player_of).children
    for text, said in (
        ("a.png", f"saved: {tmp_path}/a.png"),
        ("a.bmp", "a.bmp must end in one of"),
        ("", "must end in"),
    ):
        name.value = text
        button.click()
        assert said in message.value and not button.disabled
    assert (tmp_path / "a.png").exists()


# The command


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return fake_synthadl(tmp_path_factory.mktemp("films") / "world", actions=1, subjects=1, views=1, frames=16)


def test_the_command_writes_what_it_says(world, tmp_path, capsys):
    root, files = str(world), [str(tmp_path / f"a{suffix}") for suffix in (".mp4", ".png", ".html")]
    assert main(["render", *files, "--root", root, "--height", "64", "--variants", "video", "black-x2"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 3 and "video, black-x2: 20 frames" in said[0] and "one frame" in said[1]
    with av.open(files[0]) as film:
        assert sum(1 for _ in film.decode(video=0)) == 20


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.mp4", "--variants", "blak"], "unknown variant 'blak': it is video, or words"),
        (["a.mp4", "b.webm"], "b.webm must end in one of .html, .mp4, .gif, .png"),
        (["a.mp4", "--clip", "77"], "there is no clip 77"),
        (["a.mp4", "--clip", "nobody"], "has no clip 'nobody'"),
        (["a.mp4", "--palette", "red"], "#rrggbb"),
        (["a.mp4", "--seconds", "50", "60"], "it has no frame between 50.0 and 60.0 s"),
        (["a.mp4", "--height", "2"], "at least 16 pixels, got 2"),
    ],
)
def test_the_command_fails_in_one_sentence_and_writes_nothing(world, tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    assert main(["render", *words, "--root", str(world)]) == 1
    told = capsys.readouterr().err.strip()
    assert said in told and len(told.splitlines()) == 1 and not list(tmp_path.iterdir())
