"""What reads videos: decord that is there and of no use, texts that play other files, workers whose parent dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import av
import numpy as np
import pytest

from tests.videos import encode, numbered, numbers
from workbench.media import video
from workbench.media.files import decoding, ingest
from workbench.media.files.sandbox import Sandbox

FRAMES = numbered(20)


@pytest.fixture(autouse=True)
def _fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(ingest, "_sandbox", Sandbox())
    decoding.has_decord.cache_clear()
    decoding._say_once.cache_clear()
    yield
    decoding.has_decord.cache_clear()
    ingest._sandbox.close()


@pytest.fixture
def film(tmp_path) -> Path:
    return encode(tmp_path / "film.mp4", FRAMES)


@pytest.mark.parametrize(
    "library",
    [
        "raise OSError('libdecord.so: cannot open shared object file')",
        "import no_such_part",
        "raise RuntimeError('cannot find the files')",
        "",  # half of it is there
    ],
)
def test_a_decord_that_does_not_start_is_said_once_and_pyav_reads(tmp_path, monkeypatch, library):
    (tmp_path / "decord").mkdir()
    (tmp_path / "decord" / "__init__.py").write_text(library)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "decord"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.warns(decoding.VideoNote, match=r"decord is installed and can't be used .*PyAV") as said:
        for name in ("one.mp4", "two.mp4"):
            info = video.probe(encode(tmp_path / name, FRAMES))
            assert info.reader == "pyav"
            assert numbers(video.read(info, [3, 17]).frames) == [3, 17]
    assert len([one for one in said if "decord" in str(one.message)]) == 1
    sys.modules.pop("decord", None)


def test_a_decord_that_is_not_installed_is_nothing_to_say(film, monkeypatch):
    monkeypatch.setattr(decoding, "find_spec", lambda name: None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert video.probe(film).reader == "pyav"


def test_where_decord_fails_on_a_file_it_was_chosen_for_pyav_reads_the_same_frames(film, monkeypatch):
    import decord

    info = video.probe(film)
    assert info.reader == "decord"

    def fails(*_, **__):
        raise decord.DECORDError("cannot allocate a decoder")

    monkeypatch.setattr(decord, "VideoReader", fails)
    with pytest.warns(decoding.VideoNote, match=r"decord fails on .*film.mp4.*cannot allocate") as said:
        for asked in ([5], [19, 0, 0], list(range(20))):
            assert numbers(video.read(info, asked).frames) == asked
    assert len([one for one in said if "decord" in str(one.message)]) == 1
    with pytest.raises(decoding.DecordError, match="film.mp4"):
        decoding.decode_alone(info, np.array([5]))


LISTS = {
    "ffconcat": "ffconcat version 1.0\nfile film.mp4\n",
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfilm.ts\n#EXT-X-ENDLIST\n",
    "marked": "\ufeff\n#EXTM3U\nfilm.mp4\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "dash": '<?xml version="1.0"?>\n<MPD><BaseURL>film.mp4</BaseURL></MPD>',
    "pls": "[playlist]\nFile1=film.mp4\n",
}


@pytest.mark.parametrize("suffix", ["mp4", "m3u8"])
@pytest.mark.parametrize("kind", LISTS)
def test_a_text_that_plays_other_files_is_no_video(film, kind, suffix):
    path = film.with_name(f"list.{suffix}")
    path.write_text(LISTS[kind], encoding="utf-8")
    with pytest.raises(video.VideoError, match=rf"list.{suffix}: it is an? .*, which plays other files"):
        video.probe(path)


def test_pyav_opens_no_list_pattern_or_address_even_where_it_is_asked_to(film, tmp_path):
    """The second wall: whoever opens a container by ``open_container`` opens that file and nothing else."""
    encode(tmp_path / "film.ts", FRAMES)
    pictures = tmp_path / "picture_1.png"
    with av.open(str(pictures), "w", options={"update": "1"}) as out:
        stream = out.add_stream("png", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "rgb24"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(FRAMES[0], format="rgb24")))
        out.mux(stream.encode())
    for name in ("ffconcat", "m3u8", "sdp"):
        (tmp_path / f"list.{name}").write_text(LISTS[name])
    for name in ("list.ffconcat", "list.m3u8", "list.sdp", "picture_%d.png"):
        with pytest.raises(av.FFmpegError):
            decoding.open_container(str(tmp_path / name))
    for address in ("http://127.0.0.1:9/a.mp4", "tcp://127.0.0.1:9", f"concat:{film}|{film}", f"subfile,,:{film}"):
        with pytest.raises((av.FFmpegError, OSError, ValueError)):
            decoding.open_container(address)
    with decoding.open_container(str(film)) as container:
        assert container.streams.video


def test_a_list_is_refused_though_it_was_once_remembered_as_a_video(film, tmp_path):
    """Records of before lists were known say nothing of a list."""
    path = tmp_path / "list.mp4"
    path.write_text(LISTS["ffconcat"])
    ingest._memory.clear()
    assert not ingest.is_known(path)
    with pytest.raises(video.VideoError, match="an ffconcat list"):
        video.probe(path)


SCRIPT = """
import sys, threading, time
from workbench.media.files.sandbox import Sandbox
sandbox = Sandbox()
threading.Thread(target=lambda: sandbox.call("time:sleep", 600, timeout=600), daemon=True).start()
while sandbox._process is None:
    time.sleep(0.01)
print(sandbox._process.pid, flush=True)
time.sleep(600)
"""


def test_a_decoder_that_hangs_ends_with_the_process_that_was_killed():
    """As `prepare` that is killed while a decoder hangs."""
    parent = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    time.sleep(1.5)  # it has begun to sleep
    assert _runs(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 10
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _runs(child)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
