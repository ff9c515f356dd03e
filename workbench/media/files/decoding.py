"""Frames of a file that ingest has verified: decord where it was found to be right, else PyAV."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec

import av
import numpy as np


class VideoError(ValueError):
    """A file that can't be read as video, or not the frames that were asked for: "<path>: <reason>"."""


class DecordError(VideoError):
    """decord can't read a file."""


class VideoNote(UserWarning):
    """Something that has to be known of a file that is read, such as which of its streams it is, or of its reader."""


#: Formats that open other files, the network or a device, or that draw a text. None of them is ever opened.
REFUSED = {
    *("concat", "concatf", "hls", "applehttp", "hls,applehttp", "dash", "webm_dash_manifest", "imf"),
    *("sdp", "rtsp", "rtp", "sap", "mpjpeg", "msnwctcp"),
    *("image2", "mlv", "vobsub", "avisynth", "vapoursynth", "bluray", "tty", "svg_pipe"),
    *("lavfi", "alsa", "oss", "pulse", "jack", "openal", "sndio", "fbdev", "kmsgrab", "x11grab", "xcbgrab", "v4l2"),
    *("video4linux2", "video4linux2,v4l2", "dshow", "gdigrab", "vfwcap", "avfoundation", "decklink", "iec61883"),
}
FORMATS = ",".join(sorted(av.formats_available - REFUSED))
#: How texts begin that play other files.
LISTS = {
    b"ffconcat": "an ffconcat list",
    b"#extm3u": "an M3U playlist",
    b"[playlist]": "a PLS playlist",
    b"[reference]": "an ASX playlist",
    b"<asx": "an ASX playlist",
    b"<smil": "a SMIL playlist",
    b"<mpd": "a DASH manifest",
    b"<?xml": "an XML text",
    b"<svg": "an SVG text",
    b"v=0": "an SDP description",
    b"rtsptext": "an RTSP address",
}


@dataclass(frozen=True)
class VideoInfo:
    """What a complete sequential decoding of ``path`` found.

    frames is the number of pictures in order of presentation, whatever the header says; fps the mean rate, which
    places nothing: ``seconds`` and ``edges`` tell when frames are shown. width and height in pixels of the file after
    ``rotation`` (degrees counter-clockwise, from the file's metadata) has made it upright; duration in seconds.

    One pixel of the file is one pixel everywhere: in frames, joints, boxes and overlays, whatever shape a player gives
    it. pixel_aspect is that shape, width by height, upright: 1 where pixels are square or the file says nothing.

    start is when the first frame is shown, in seconds on a player's clock (see media.clock); moments are those of all
    frames where they don't follow evenly, else (). stream is the number of the file's stream that is read. reader is
    "decord" or "pyav". keyframes lists (frame number, timestamp) where PyAV may start. file is what is decoded:
    ``path`` itself or, of a damaged file, a copy of its good part. note says what a reader of the file has to know.
    """

    path: str
    file: str
    frames: int
    fps: float
    width: int
    height: int
    rotation: int
    codec: str
    variable_rate: bool
    reader: str
    keyframes: tuple[tuple[int, int], ...] = ()
    note: str = ""
    start: float = 0.0
    moments: tuple[float, ...] = ()
    pixel_aspect: float = 1.0
    stream: int = 0

    @classmethod
    def from_fields(cls, fields: dict) -> VideoInfo:
        """The inverse of ``dataclasses.asdict``, also after JSON; TypeError if fields are missing or unknown."""
        pairs = tuple(map(tuple, fields["keyframes"]))
        return cls(**{**fields, "keyframes": pairs, "moments": tuple(fields["moments"])})

    @property
    def duration(self) -> float:
        """Seconds from the beginning of the first frame to the end of the last."""
        edges = self.edges()
        return float(edges[-1] - edges[0])

    def edges(self) -> np.ndarray:
        """float64 [frames + 1]: when each frame begins to be shown, and when the last one ends, in seconds on a
        player's clock. Where frames come unevenly the last is shown for as long as the one before."""
        if not self.moments:
            return self.start + np.arange(self.frames + 1) / self.fps
        times = np.array(self.moments)
        return np.append(times, times[-1] + (times[-1] - times[-2]))

    def seconds(self, frame_numbers: np.ndarray) -> np.ndarray:
        """float64 [T]: when the frames ``frame_numbers`` begin to be shown, in seconds on a player's clock."""
        return self.edges()[frame_numbers]


@cache
def has_decord() -> bool:
    """decord has no wheel for some machines, among them Apple silicon. One that is there and does not start is as good
    as none, which is said once."""
    if find_spec("decord") is None:
        return False
    try:
        import decord

        return bool(decord.VideoReader and decord.DECORDError)
    except Exception as error:  # a library that is missing, of another build, half installed
        _say_once(f"decord is installed and can't be used ({_first_line(error)}): videos are read by PyAV, more slowly")
        return False


@cache
def _say_once(message: str) -> None:
    warnings.warn(message, VideoNote, stacklevel=3)


def decode(info: VideoInfo, frame_numbers: np.ndarray) -> np.ndarray:
    """uint8 [T,H,W,3] RGB, upright: the frames ``frame_numbers`` [T] in that order, repeats allowed.

    Where decord was chosen and fails here, PyAV reads from the file's beginning, which is said once. VideoError if a
    number is out of range or the file no longer is what ``info`` describes.
    """
    if info.reader != "decord":
        return decode_alone(info, frame_numbers)
    try:
        if has_decord():
            return decode_alone(info, frame_numbers)
    except DecordError as error:
        _say_once(f"decord fails on {error}: it is read by PyAV, more slowly, as others are on which it does")
    return decode_alone(replace(info, reader="pyav"), frame_numbers)


def decode_alone(info: VideoInfo, frame_numbers: np.ndarray) -> np.ndarray:
    """As ``decode``, by the reader that ``info`` names and no other; a DecordError, which is a VideoError, where it is
    decord and fails."""
    numbers = np.asarray(frame_numbers, np.int64)
    if numbers.ndim != 1 or numbers.size == 0:
        raise VideoError(f"{info.path}: frame numbers must be a non-empty list, got shape {numbers.shape}")
    if numbers.min() < 0 or numbers.max() >= info.frames:
        wrong = numbers[(numbers < 0) | (numbers >= info.frames)][0]
        raise VideoError(f"{info.path}: no frame {wrong}, it has the frames 0 to {info.frames - 1}")
    read = _decode_decord if info.reader == "decord" else _decode_pyav
    if (np.diff(numbers) > 0).all():
        return read(info, numbers)
    unique, positions = np.unique(numbers, return_inverse=True)
    return read(info, unique)[positions]


def _decode_decord(info: VideoInfo, numbers: np.ndarray) -> np.ndarray:
    try:
        import decord

        reader = decord.VideoReader(info.file, num_threads=1)
        count = len(reader)
        frames = reader.get_batch(numbers).asnumpy()
    except Exception as error:  # RuntimeError, IndexError, DECORDError, and what a broken library leads to
        raise DecordError(f"{info.path}: decord can't read it ({_first_line(error)})") from None
    if count != info.frames or frames.shape[1:3] != (info.height, info.width):
        decoded, expected = (count, *frames.shape[1:3]), (info.frames, info.height, info.width)
        raise VideoError(f"{info.path}: decord finds (frames, height, width) {decoded}, expected {expected}")
    return frames


def _decode_pyav(info: VideoInfo, numbers: np.ndarray) -> np.ndarray:
    frames = np.empty((len(numbers), info.height, info.width, 3), np.uint8)
    done = 0
    try:
        with open_container(info.file) as container:
            for number, frame in _numbered(container, info, int(numbers[0])):
                if number == numbers[done]:
                    frames[done] = upright(frame, info.rotation)
                    done += 1
                    if done == len(numbers):
                        return frames
    except av.FFmpegError as error:
        raise VideoError(f"{info.path}: PyAV can't read it ({_first_line(error)})") from None
    raise VideoError(f"{info.path}: frame {numbers[done]} is no longer there, the file must have changed")


def stream(info: VideoInfo, first: int = 0) -> Iterator[np.ndarray]:
    """The frames of ``info`` from number ``first`` to the last, uint8 [H,W,3] RGB, upright, one at a time and in the
    memory of one. VideoError if the file no longer is what ``info`` describes."""
    count = 0
    try:
        with open_container(info.file) as container:
            for number, frame in _numbered(container, info, first):
                count = number + 1
                if number >= first:
                    yield upright(frame, info.rotation)
    except av.FFmpegError as error:
        raise VideoError(f"{info.path}: PyAV can't read it ({_first_line(error)})") from None
    if count != info.frames:
        raise VideoError(f"{info.path} has {count} frames, expected {info.frames}: the file must have changed")


def _numbered(
    container: av.container.InputContainer, info: VideoInfo, first: int
) -> Iterator[tuple[int, av.VideoFrame]]:
    """(frame number, frame) from the last usable keyframe before ``first`` on."""
    stream = video_stream(container)
    assert stream is not None  # the file was inspected
    number, timestamp = max((key for key in info.keyframes if key[0] <= first), default=(0, 0))
    started = number == 0
    if not started:
        container.seek(timestamp, stream=stream)
    for frame in container.decode(stream):
        # Pictures that precede the keyframe but follow it in the file (open GOP) lack their references.
        started = started or frame.pts == timestamp
        if started:
            yield number, frame
            number += 1


def open_container(path: str) -> av.container.InputContainer:
    """The file ``path`` opened for reading; titles and comments in unknown encodings do no harm. Nothing else is ever
    opened on its behalf: neither another file nor the network (see ``REFUSED``)."""
    options = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
    return av.open(path, container_options=options, metadata_errors="replace")


def plays_others(path: str) -> str:
    """What a text is that plays other files, by its beginning; "" of any other file."""
    with open(path, "rb") as file:
        start = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return next((kind for mark, kind in LISTS.items() if start.startswith(mark)), "")


def moving_streams(container: av.container.InputContainer) -> list[av.VideoStream]:
    """All streams of pictures but attached ones, such as a sound file's cover."""
    attached = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    return [stream for stream in container.streams.video if not stream.disposition & attached]


def video_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """The main stream of moving pictures, set to one thread; None if there is none.

    Those that the file marks as default go before others, then the largest picture, then the first.
    """

    def rank(stream: av.VideoStream) -> tuple[bool, int, int]:
        default = bool(stream.disposition & av.stream.Disposition.default)
        return default, (stream.width or 0) * (stream.height or 0), -stream.index

    main = max(moving_streams(container), key=rank, default=None)
    if main is not None:
        main.codec_context.thread_count = 1
    return main


def upright(frame: av.VideoFrame, rotation: int) -> np.ndarray:
    """uint8 [H,W,3] RGB turned by ``rotation`` degrees counter-clockwise."""
    return np.rot90(frame.to_ndarray(format="rgb24"), rotation // 90)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200] or type(error).__name__
