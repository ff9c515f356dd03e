"""Files and decoders that misbehave: the right frames or one clear sentence, never a hang, never a dead caller."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.videos import cut, encode, numbered, numbers, open_gop, sound
from workbench.media import video
from workbench.media.files import ingest
from workbench.media.files.sandbox import Sandbox, SandboxError, Sandboxes

FRAMES = numbered(60)
MANY_KEYFRAMES = {"x264-params": "keyint=12:min-keyint=12:scenecut=0"}
INDEX_IN_FRONT = {"movflags": "+faststart"}


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))


def check_random_access(path, frames=60):
    """Every frame alone, last first, and a shuffled batch."""
    info = video.ingest(path)
    assert info.frames == frames
    assert numbers(video.read(info).frames) == list(range(frames))
    for number in range(frames - 1, -1, -7):
        assert numbers(video.read(info, [number]).frames) == [number]
    shuffled = np.random.default_rng(1).permutation(frames)[:20]
    assert numbers(video.read(info, shuffled).frames) == shuffled.tolist()
    return info


# Unusual, but right


def test_closed_groups_of_pictures_are_read_with_decord(tmp_path):
    info = check_random_access(encode(tmp_path / "closed.mp4", FRAMES, **MANY_KEYFRAMES))
    assert info.reader == "decord"


def test_open_groups_of_pictures(tmp_path):
    info = check_random_access(open_gop(tmp_path / "open.mp4", FRAMES))
    assert info.reader == "pyav" and len(info.keyframes) == 5


def test_decord_is_wrong_on_open_groups_of_pictures(tmp_path):
    """The reason for all this; if it ever fails, decord has been mended."""
    import decord

    path = open_gop(tmp_path / "open.mp4", FRAMES)
    seen = [numbers(decord.VideoReader(str(path)).get_batch([n]).asnumpy())[0] for n in range(60)]
    assert seen != list(range(60))


@pytest.mark.parametrize(
    ("name", "codec", "settings"),
    [
        ("mpeg4.avi", "mpeg4", {}),
        ("mpeg4_b.avi", "mpeg4", {"b_frames": 2, "gop": 12}),
        ("h264.avi", "libx264", MANY_KEYFRAMES),
        ("h264.mkv", "libx264", MANY_KEYFRAMES),
        ("mpeg2.mpg", "mpeg2video", {}),
        ("vp9.webm", "libvpx-vp9", {}),
        ("mjpeg.avi", "mjpeg", {}),
    ],
)
def test_other_codecs_and_containers(tmp_path, name, codec, settings):
    info = check_random_access(encode(tmp_path / name, FRAMES, codec, **settings))
    assert info.reader == "decord" or info.keyframes or name in ("h264.avi", "mpeg2.mpg")


def test_variable_frame_rate(tmp_path):
    gaps = np.random.default_rng(0).integers(10, 120, 60)
    path = encode(tmp_path / "phone.mp4", FRAMES, milliseconds=np.cumsum(gaps).tolist(), **MANY_KEYFRAMES)
    info = check_random_access(path)
    assert info.variable_rate
    assert info.fps == pytest.approx(1000 * 59 / gaps[1:].sum(), rel=0.02)


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (-90, 3), (180, 2)])
def test_rotated_recordings_come_out_upright(tmp_path, rotation, turns):
    plain = video.read(encode(tmp_path / "plain.mp4", FRAMES[:10])).frames
    info = video.ingest(encode(tmp_path / "turned.mp4", FRAMES[:10], rotation=rotation))
    upright = np.rot90(plain, turns, axes=(1, 2))
    assert info.reader == "pyav"
    np.testing.assert_array_equal(video.read(info).frames, upright)
    assert (info.height, info.width) == upright.shape[1:3] and info.rotation == rotation % 360


def test_without_decord_pyav_reads_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(ingest, "has_decord", lambda: False)
    info = check_random_access(encode(tmp_path / "clip.mp4", FRAMES, **MANY_KEYFRAMES))
    assert info.reader == "pyav" and len(info.keyframes) == 5


# Wrong: one sentence with path and reason


def reason(path, **options) -> str:
    with pytest.raises(video.VideoError) as caught:
        video.ingest(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_not_a_video(tmp_path):
    for name, content in (("noise.mp4", np.random.default_rng(0).bytes(20_000)), ("text.mp4", b"Dear diary,\n" * 500)):
        (tmp_path / name).write_bytes(content)
        assert "can't be opened as a video" in reason(tmp_path / name)


def test_empty_missing_or_no_file(tmp_path):
    (tmp_path / "empty.mp4").touch()
    assert reason(tmp_path / "empty.mp4") == "it is empty (0 bytes)"
    assert reason(tmp_path) == "it is not a regular file"
    os.mkfifo(tmp_path / "pipe.mp4")
    assert reason(tmp_path / "pipe.mp4") == "it is not a regular file"
    with pytest.raises(FileNotFoundError, match=r"gone\.mp4: there is no such video file"):
        video.read(tmp_path / "gone.mp4")


def test_sound_only(tmp_path):
    assert reason(sound(tmp_path / "voice.mp4")) == "it holds no video, only audio"


def test_cut_off_before_its_index(tmp_path):
    whole = encode(tmp_path / "whole.mp4", FRAMES)
    assert "can't be opened" in reason(cut(whole, tmp_path / "cut.mp4", 0.6))


@pytest.mark.parametrize(
    ("name", "codec"), [("whole.mp4", "libx264"), ("whole.avi", "mpeg4"), ("whole.mkv", "libx264")]
)
@pytest.mark.parametrize("share", [0.65, 0.85])
def test_cut_off_in_the_middle(tmp_path, name, codec, share):
    whole = encode(tmp_path / name, FRAMES, codec, container=INDEX_IN_FRONT if name.endswith("mp4") else None)
    path = cut(whole, tmp_path / f"cut_{name}", share)
    text = reason(path)
    good = int(text.split("its first ")[1].split(" frames are good")[0])
    assert 0 < good < 58
    with pytest.warns(video.PartialVideo, match=rf"cut_{name}: only the first {good} frames are used"):
        info = video.ingest(path, allow_partial=True)
    part = video.read(info)
    assert numbers(part.frames) == list(range(good)) and part.source == str(path)


def test_flipped_bits_are_noticed_or_harmless(tmp_path):
    data = encode(tmp_path / "good.mp4", FRAMES, container=INDEX_IN_FRONT).read_bytes()
    rng, noticed = np.random.default_rng(3), 0
    for trial in range(12):
        broken = bytearray(data)
        for place in rng.integers(len(data) // 4, len(data), 3):
            broken[place] ^= 1 << rng.integers(8)
        path = tmp_path / f"broken{trial}.mp4"
        path.write_bytes(broken)
        try:
            assert numbers(video.read(path).frames) == list(range(60))
        except video.VideoError as error:
            assert str(error).startswith(f"{path}: ")
            noticed += 1
    assert noticed >= 6


def test_a_bad_file_is_not_examined_twice(tmp_path, monkeypatch):
    (tmp_path / "noise.mp4").write_bytes(b"\x00\x01" * 999)
    first = reason(tmp_path / "noise.mp4")
    ingest._memory.clear()
    monkeypatch.setattr(ingest, "_verify", lambda *_: pytest.fail("verified again"))
    assert reason(tmp_path / "noise.mp4") == first


def test_a_damaged_record_is_written_anew(tmp_path):
    path = encode(tmp_path / "clip.mp4", FRAMES[:10])
    info = video.ingest(path)
    (record,) = (tmp_path / "cache" / "video").glob("*.json")
    for content in ("{", '{"frames": 3}', "[]"):
        record.write_text(content)
        ingest._memory.clear()
        assert video.ingest(path) == info


def test_a_cache_that_cannot_be_written_is_no_obstacle(tmp_path):
    path = encode(tmp_path / "clip.mp4", FRAMES[:10])
    (tmp_path / "occupied").touch()
    with pytest.warns(UserWarning, match="can't remember verified videos here"):
        assert video.ingest(path, tmp_path / "occupied" / "cache").frames == 10


# Decoders that hang, die or kill


@pytest.fixture
def faulty(tmp_path, monkeypatch):
    """Installs decoders that misbehave in place of the examination of files."""
    (tmp_path / "faulty.py").write_text(
        "import os, time\n"
        "from workbench.media.files.inspection import inspect\n"
        "def hangs(path, with_decord): time.sleep(60)\n"
        "def aborts(path, with_decord): os.abort()\n"
        "def raises(path, with_decord): raise MemoryError('no room')\n"
        "def slow(path, with_decord):\n"
        "    for _ in range(6): time.sleep(0.5); yield\n"
        "    return (yield from inspect(path, with_decord))\n"
        "def aborts_with_decord(path, with_decord):\n"
        "    if with_decord: os.abort()\n"
        "    return (yield from inspect(path, False))\n"
        "def hang_reading(fields, numbers): time.sleep(60)\n"
        "def abort_reading(fields, numbers): os.abort()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with Sandbox() as sandbox:
        monkeypatch.setattr(ingest, "_sandbox", sandbox)
        yield lambda name: monkeypatch.setattr(ingest, "INSPECT", f"faulty:{name}")


@pytest.fixture
def clip(tmp_path):
    return encode(tmp_path / "clip.mp4", FRAMES[:10])


def test_a_hanging_decoder_is_given_up_on(clip, faulty):
    faulty("hangs")
    began = time.monotonic()
    assert reason(clip, timeout=0.5) == "no progress for 0.5 seconds, given up"
    assert time.monotonic() - began < 10


def test_a_slow_decoder_that_gets_on_is_waited_for(clip, faulty):
    faulty("slow")
    assert video.ingest(clip, timeout=2.5).frames == 10


def test_a_dying_decoder_is_named_and_the_next_file_is_read(clip, tmp_path, faulty):
    faulty("aborts")
    assert reason(clip) == "the process that read it died (SIGABRT)"
    faulty("aborts_with_decord")
    other = encode(tmp_path / "other.mp4", FRAMES[:12])
    assert video.ingest(other).frames == 12


def test_what_a_busy_machine_could_not_read_is_tried_again_next_time(clip, faulty):
    faulty("hangs")
    reason(clip, timeout=0.3)
    ingest._memory.clear()
    faulty("aborts_with_decord")
    assert video.ingest(clip).frames == 10


def test_a_decoder_out_of_memory(clip, faulty):
    faulty("raises")
    assert reason(clip) == "MemoryError: no room"


def test_where_decord_dies_pyav_reads(clip, faulty):
    faulty("aborts_with_decord")
    info = video.ingest(clip)
    assert info.reader == "pyav"
    assert numbers(video.read(info, [7, 2]).frames) == [7, 2]


@pytest.mark.parametrize(
    ("task", "timeout", "message"),
    [("hang_reading", 0.5, "no progress for 0.5 seconds"), ("abort_reading", 30, r"died \(SIGABRT\)")],
)
def test_reading_apart_survives_the_decoder(clip, faulty, monkeypatch, task, timeout, message):
    with video.Decoder(timeout) as decoder:
        info = video.ingest(clip)
        with monkeypatch.context() as patched:
            patched.setattr(video, "DECODE", f"faulty:{task}")
            with pytest.raises(video.VideoError, match=rf"clip\.mp4: .*{message}"):
                decoder.read(info)
        decoder.timeout = 30
        assert numbers(decoder.read(info, [3]).frames) == [3]


def test_a_killed_child_is_replaced():
    with Sandbox() as sandbox:
        assert sandbox.call("os:getpid", timeout=30) != os.getpid()
        os.kill(sandbox.call("os:getpid", timeout=30), signal.SIGKILL)
        with pytest.raises(SandboxError, match="died"):
            sandbox.call("time:sleep", 5, timeout=30)
        assert sandbox.call("math:sqrt", 9, timeout=30) == 3


def test_a_child_goes_away_with_its_caller(tmp_path):
    code = (
        "from workbench.media.files.sandbox import Sandbox; import os\n"
        "print(Sandbox().call('os:getpid', timeout=30), flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    child = int(done.stdout)
    for _ in range(100):
        if not os.path.exists(f"/proc/{child}") or "zombie" in Path(f"/proc/{child}/status").read_text():
            return
        time.sleep(0.1)
    pytest.fail("the child outlived its caller")


def test_calls_from_several_threads_run_side_by_side(tmp_path):
    """The first can only end once the second has run."""
    sandboxes, flag = Sandboxes(2), tmp_path / "flag"
    wait = ["sh", "-c", f"until [ -e '{flag}' ]; do sleep 0.02; done"]
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(sandboxes.call, "subprocess:call", wait, timeout=20)
        assert sandboxes.call("subprocess:call", ["touch", str(flag)], timeout=20) == 0
        assert first.result() == 0
