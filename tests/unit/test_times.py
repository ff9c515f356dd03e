"""When frames are shown: seconds are placed by the frames' own times; which stream is read; the shape of pixels."""

from __future__ import annotations

import warnings
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.videos import numbered, numbers
from workbench.data import doctor, open_untrimmed
from workbench.data.untrimmed.snippet_files import Snippets, SnippetSpec
from workbench.media import video
from workbench.media.files import clock, ingest
from workbench.metrics import postprocess
from workbench.show import scene
from workbench.types import Clip


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))


def film(path: Path, milliseconds: list[int], sound: float | None = None, size: tuple[int, int] = (64, 96)) -> Path:
    """Numbered pictures at these times; sound: seconds of silence from 0 on."""
    with av.open(str(path), "w") as output:
        options = {"threads": "1", "x264-params": "mbtree=0:bframes=0"}
        pictures = output.add_stream("libx264", rate=25, options=options)
        pictures.height, pictures.width, pictures.pix_fmt = *size, "yuv420p"
        pictures.time_base = pictures.codec_context.time_base = Fraction(1, 1000)
        if sound:
            silence = output.add_stream("aac", rate=16000)
            for start in range(0, int(16000 * sound), 1024):
                samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                samples.sample_rate, samples.pts, samples.time_base = 16000, start, Fraction(1, 16000)
                output.mux(silence.encode(samples))
            output.mux(silence.encode())
        for time, frame in zip(milliseconds, numbered(len(milliseconds), *size), strict=True):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts, picture.time_base = time, Fraction(1, 1000)
            output.mux(pictures.encode(picture))
        output.mux(pictures.encode())
    return path


def active(folder: Path, name: str, intervals: str) -> list[list[int]]:
    """First and last frame of each class of a manifest's one video."""
    (folder / "m.csv").write_text(f"video,intervals,split\n{name},{intervals},train\n")
    labels = open_untrimmed("manifest", folder / "m.csv").labels(0)
    return [np.flatnonzero(column)[[0, -1]].tolist() for column in labels.T]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_a_video_that_starts_after_its_sound_keeps_its_seconds(tmp_path, suffix):
    film(tmp_path / f"late.{suffix}", [2000 + 40 * n for n in range(100)], sound=6)
    # 3 s on the player is 1 s, 25 frames, into the pictures.
    assert active(tmp_path, f"late.{suffix}", "3.0 4.0 wave") == [[25, 49]]
    data = open_untrimmed("manifest", tmp_path / "m.csv")
    assert data.durations[0] == pytest.approx(6.0, abs=0.05)


def test_where_all_streams_start_late_the_player_counts_from_there(tmp_path):
    film(tmp_path / "late.ts", [10_000 + 40 * n for n in range(100)])
    assert video.probe(tmp_path / "late.ts").start == 0
    assert active(tmp_path, "late.ts", "1.0 2.0 wave; 3 3.5 sit") == [[75, 87], [25, 49]]


def test_seconds_of_an_uneven_film_are_its_own(tmp_path):
    # 2 s at 25 frames a second, then 2 s at 5.
    times = [40 * n for n in range(50)] + [2000 + 200 * n for n in range(10)]
    film(tmp_path / "phone.mp4", times)
    assert active(tmp_path, "phone.mp4", "1.0 2.0 wave; 3.0 4.0 sit") == [[55, 59], [25, 49]]
    info = video.probe(tmp_path / "phone.mp4")
    assert info.variable_rate and info.duration == pytest.approx(4.0)
    assert info.seconds(np.array([49, 50, 59])) == pytest.approx([1.96, 2.0, 3.8])
    clip = video.read(info, [49, 59])
    assert clip.seconds == pytest.approx([1.96, 3.8])
    assert scene.seconds_per_frame(clip) == pytest.approx(1.84)


def test_times_survive_the_record(tmp_path):
    film(tmp_path / "phone.mp4", [0, 40, 80, 400, 440])
    first = video.probe(tmp_path / "phone.mp4")
    ingest._memory.clear()
    assert video.probe(tmp_path / "phone.mp4") == first and len(first.moments) == 5


def test_manifests_that_tell_a_rate_place_intervals_by_times_too(tmp_path):
    film(tmp_path / "late.mkv", [2000 + 40 * n for n in range(100)], sound=6)
    table = "video,intervals,split,frames,fps\nlate.mkv,3 4 wave,train,100,25\n"
    (tmp_path / "m.csv").write_text(table)
    assert np.flatnonzero(open_untrimmed("manifest", tmp_path / "m.csv").labels(0)[:, 0])[[0, -1]].tolist() == [25, 49]
    (tmp_path / "m.csv").write_text(table.replace(",100,", ",90,"))
    with pytest.raises(ValueError, match="late.mkv has 100 frames, the table says 90"):
        open_untrimmed("manifest", tmp_path / "m.csv")


def test_snippets_and_detections_lie_where_frames_are_shown(tmp_path):
    film(tmp_path / "phone.mp4", [40 * n for n in range(8)] + [320 + 160 * n for n in range(8)])
    (tmp_path / "m.csv").write_text("video,intervals,split\nphone.mp4,0 1 a,train\n")
    data = open_untrimmed("manifest", tmp_path / "m.csv")
    snippets = Snippets.of(data, SnippetSpec(4, 4), [])
    assert snippets.times(0) == pytest.approx(np.array([[0, 0.16], [0.16, 0.32], [0.32, 0.96], [0.96, 1.6]]))
    scores = np.zeros((16, 1))
    scores[8:12] = 1
    found = postprocess.intervals(scores, "phone", data.edges(0))
    assert found[["start", "end"]].to_numpy() == pytest.approx(np.array([[0.32, 0.96]]))


def test_gaps_are_closed_by_time_not_by_number():
    scores = np.array([[1.0], [0.0], [1.0], [0.0], [1.0]])
    edges = np.array([0, 1, 1.1, 2, 4, 5.0])
    found = postprocess.intervals(scores, "v", edges, merge=0.5)
    assert found[["start", "end"]].to_numpy().tolist() == [[0, 2], [4, 5]]
    with pytest.raises(ValueError, match="6 ascending moments"):
        postprocess.intervals(scores, "v", edges[:-1])


def test_rounded_times_of_a_usual_rate_are_at_that_rate():
    times = [Fraction(round(1001 * n / 30), 1000) for n in range(200)]
    assert clock.even_rate(times, Fraction(1, 1000), [None, Fraction(25)]) == Fraction(30000, 1001)
    times[100] += Fraction(1, 50)
    assert clock.even_rate(times, Fraction(1, 1000), []) is None


def test_a_moment_belongs_to_the_frame_that_is_shown():
    edges = np.array([2.0, 2.04, 2.5, 3.0])
    assert clock.frame_at(edges, np.array([0.0, 2.0, 2.039, 2.04, 2.9, 7.0])).tolist() == [0, 0, 0, 1, 2, 2]
    assert clock.between(np.array([0.3 - 1e-9, 0.9 - 1e-9]), 0.3, 0.9).tolist() == [True, False]


def test_a_clip_that_was_made_counts_by_its_rate():
    assert Clip(np.zeros((2, 4, 4, 3), np.uint8), np.array([10, 20]), 10.0).seconds.tolist() == [1.0, 2.0]


def two(path: Path, first: tuple[int, int], second: tuple[int, int], default: int | None) -> Path:
    """Two streams of numbered pictures, (height, width) each; the file marks number ``default``, if any."""
    with av.open(str(path), "w") as output:
        streams = []
        for place, size in enumerate((first, second)):
            stream = output.add_stream("libx264", rate=25, options={"threads": "1", "x264-params": "mbtree=0"})
            stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
            flag = av.stream.Disposition.default if place == default else av.stream.Disposition(0)
            stream.disposition = flag
            streams.append((stream, numbered(20 if place else 12, *size)))
        for stream, frames in streams:
            for frame in frames:
                output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            output.mux(stream.encode())
    return path


def test_the_default_stream_is_read_and_said(tmp_path):
    path = two(tmp_path / "two.mkv", (120, 160), (64, 96), default=1)
    with pytest.warns(ingest.VideoNote, match="stream 1 is read, which the file marks as its default, of its 2"):
        info = video.probe(path)
    assert (info.frames, info.width, info.height, info.stream) == (20, 96, 64, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ingest.VideoNote)
        assert numbers(video.read(path).frames) == list(range(20))


def test_without_a_mark_the_larger_picture_is_read(tmp_path):
    with pytest.warns(ingest.VideoNote, match="stream 1 is read, the largest picture"):
        info = video.probe(two(tmp_path / "two.mkv", (64, 96), (120, 160), default=None))
    assert (info.frames, info.width) == (20, 160)


def test_the_doctor_names_files_with_notes(tmp_path):
    two(tmp_path / "two.mkv", (64, 96), (120, 160), default=1)
    (tmp_path / "m.csv").write_text("video,label,split\ntwo.mkv,a,train\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ingest.VideoNote)
        report = doctor.examine(doctor.open_parts("manifest", tmp_path / "m.csv"), None, workers=1)
    result = report.result("notes on files")
    assert result.verdict == "warning" and "stream 1 is read" in result.findings[0].text


def shaped(path: Path, aspect: Fraction) -> Path:
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        for frame in numbered(10):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        output.mux(stream.encode())
    return path


def test_pixels_are_those_of_the_file_and_their_shape_is_told(tmp_path):
    info = video.probe(shaped(tmp_path / "a.mp4", Fraction(64, 45)))
    assert (info.width, info.height, info.pixel_aspect) == (96, 64, pytest.approx(64 / 45))
    assert video.read(info, [3]).frames.shape == (1, 64, 96, 3)


def test_the_doctor_warns_of_a_mixture_of_pixel_shapes_alone(tmp_path):
    shapes = {"a": Fraction(1), "b": Fraction(65536, 65535), "c": Fraction(64, 45)}
    for name, shape in shapes.items():
        shaped(tmp_path / f"{name}.mp4", shape)

    def verdict(names: str) -> tuple[str, list[str]]:
        rows = "".join(f"{name}.mp4,walk,train\n" for name in names)
        (tmp_path / "m.csv").write_text(f"video,label,split\n{rows}")
        report = doctor.examine(doctor.open_parts("manifest", tmp_path / "m.csv"), None, workers=1)
        result = report.result("pixel aspect")
        return result.verdict, [finding.text for finding in result.findings]

    assert verdict("ab") == ("ok", []) == verdict("c")
    assert verdict("abc") == ("warning", ["c: pixels 1.422 times as wide as high, most are 1.000"])


def test_the_estimator_sees_square_pixels_and_answers_in_pixels_of_the_file(tmp_path):
    from workbench.media.estimation.pose_estimation import _of_video

    class Process:
        def landmarks(self, frames, count, size, fps):
            self.shapes = {frame.shape for frame in frames} | {(*size, 3)}
            return np.full((count, 33, 6), 0.5, np.float32)

    process = Process()
    found = _of_video(shaped(tmp_path / "a.mp4", Fraction(3, 2)), process)
    assert process.shapes == {(64, 144, 3)}
    assert np.unique(found["pixels"], axis=None).tolist() == [32.0, 48.0]
