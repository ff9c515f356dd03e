"""What is really in a video file: run in a sandbox, for files may be damaged, and decoders too."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import asdict, dataclass, field, replace

import av
import cv2
import numpy as np

from safefiles.video import write
from workbench.media.files import clock
from workbench.media.files.decoding import (
    VideoError,
    VideoInfo,
    decode_alone,
    moving_streams,
    open_container,
    upright,
    video_stream,
)

#: A sign of life is given at least every so many frames.
STRIDE = 16

#: Containers without an index: decord hangs on those that begin late, and finds other frames in the rest.
STREAMS = ("mpegts", "mpeg")

#: Keyframes closer than this (all-intra files) are not worth remembering.
GAP = 8


def inspect(path: str, with_decord: bool) -> Generator[None, None, dict]:
    """Decodes all of ``path`` in order, then finds a reader that gives the same frames at random access.

    Returns {"info": fields of VideoInfo or None if there is no good frame, "damage": what is wrong, or ""}.
    """
    try:
        with open_container(path) as container:
            scan = yield from _scan(container)
            with_decord = with_decord and container.format.name not in STREAMS
            description = _describe(path, container, scan) if scan.good else None
    except av.FFmpegError as error:
        return {"info": None, "damage": f"it can't be opened as a video ({error.strerror})"}
    if description is None or scan.damage:
        return {"info": description and asdict(description), "damage": scan.damage}
    info = yield from _choose_reader(description, scan, with_decord)
    return {"info": asdict(info), "damage": ""}


def salvage(path: str, target: str, info: dict) -> Generator[None, None, None]:
    """Writes the frames of ``path`` that ``info`` counts as good to ``target``, upright."""

    def good() -> Generator[np.ndarray, None, None]:
        with open_container(path) as container:
            stream = video_stream(container)
            assert stream is not None  # the frames have been counted
            for number, frame in enumerate(container.decode(stream)):
                yield _even(upright(frame, info["rotation"]))
                if number + 1 == info["frames"]:
                    return

    yield
    write(target, good(), info["fps"], crf=8)


def _even(frame: np.ndarray) -> np.ndarray:
    """Odd sides lose their last row or column, which H.264 could not store."""
    return frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2]


@dataclass
class _Landmarks:
    """Small grey copies of the frames where random access goes wrong if it does: around keyframes and at the end."""

    rotation: int = 0
    count: int = 0
    keys: list[tuple[int, int | None]] = field(default_factory=list)
    thumbs: dict[int, np.ndarray] = field(default_factory=dict)
    recent: deque[tuple[int, av.VideoFrame]] = field(default_factory=lambda: deque(maxlen=3))
    until: int = 0

    def see(self, frame: av.VideoFrame) -> None:
        self.recent.append((self.count, frame))
        if frame.key_frame and (not self.keys or self.count - self.keys[-1][0] >= GAP):
            self.keys.append((self.count, frame.pts))
            ordinal = len(self.keys) - 1
            # All of the first few, then ever fewer, so that hour-long and all-intra files stay cheap.
            if ordinal < 4 or ordinal & (ordinal - 1) == 0:
                self.until = self.count + 2
        if self.count <= self.until:
            self.keep()
        self.count += 1

    def keep(self) -> None:
        for number, frame in self.recent:
            if number not in self.thumbs:
                self.thumbs[number] = _thumb(upright(frame, self.rotation))

    def probes(self) -> list[int]:
        """The frames to ask for, in an order that makes every request a new seek: latest first."""
        after = {key + 1 for key, _ in self.keys} | {key for key, _ in self.keys} | {self.count - 1}
        return sorted(after & self.thumbs.keys(), reverse=True)

    def shows(self, number: int, picture: np.ndarray) -> bool:
        """Whether ``picture`` is frame ``number`` and none of its neighbours."""
        thumb = _thumb(picture)
        near = range(number - 2, number + 3)
        distances = {k: float(np.abs(self.thumbs[k] - thumb).mean()) for k in near if k in self.thumbs}
        return distances[number] < 3 and distances[number] <= min(distances.values()) + 0.1


def _thumb(picture: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)


@dataclass
class _Scan:
    landmarks: _Landmarks
    times: list[int | None] = field(default_factory=list)
    packets: int = 0
    discarded: int = 0
    doubtful: int = 0
    open_gop: bool = False
    size: tuple[int, int] = (0, 0)
    damage: str = ""
    stream: av.VideoStream | None = None

    @property
    def good(self) -> int:
        """How many frames from the first on are what they should be."""
        return max(self.landmarks.count - self.doubtful, 0)

    @property
    def stamps(self) -> list[int]:
        """The times of the frames that have one."""
        return [time for time in self.times if time is not None]

    @property
    def monotonic(self) -> bool:
        """Whether every frame has a time of its own, so that a time names a frame."""
        times = self.stamps
        every = len(times) == len(self.times) > 1
        return every and all(a < b for a, b in zip(times, times[1:], strict=False))


def _scan(container: av.container.InputContainer) -> Generator[None, None, _Scan]:
    scan = _Scan(_Landmarks())
    stream = scan.stream = video_stream(container)
    if stream is None:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        scan.damage = f"it holds no video, only {kinds}"
        return scan
    try:
        for _ in _good_packets(container, stream, scan):
            yield
    except av.FFmpegError as error:
        scan.damage = f"decoding fails ({error.strerror})"
    if not scan.damage and (lost := _lost(stream, scan)):
        scan.damage = f"{lost} of its {scan.packets} pictures can't be decoded"
        scan.doubtful = scan.landmarks.count
    elif not scan.damage:
        scan.damage = _missing(container, stream, scan)
        # Of pictures stored out of order, those shown last may lack their predecessors where a file is cut off.
        scan.doubtful = stream.codec_context.reorder_depth if scan.damage else 0
    scan.landmarks.keep()
    return scan


def _good_packets(container: av.container.InputContainer, stream: av.VideoStream, scan: _Scan) -> Generator[None]:
    """Decodes into ``scan`` until the end or the first sign of damage."""
    key_time = None
    for packet in container.demux(stream):
        scan.packets += packet.size > 0
        scan.discarded += packet.size > 0 and packet.is_discard
        if packet.is_corrupt:
            scan.damage = "its data are cut off or damaged"
            return
        if packet.pts is not None and packet.is_keyframe:
            key_time = packet.pts
        elif packet.pts is not None and key_time is not None and packet.pts < key_time:
            scan.open_gop = True
        for frame in packet.decode():
            scan.damage = _take(frame, scan)
            if scan.damage:
                return
        if scan.packets % STRIDE == 0:
            yield


def _take(frame: av.VideoFrame, scan: _Scan) -> str:
    if frame.is_corrupt:
        return "the decoder finds errors in it"
    if scan.landmarks.count == 0:
        scan.size = (frame.width, frame.height)
        scan.landmarks.rotation = round(frame.rotation / 90) * 90 % 360
    if (frame.width, frame.height) != scan.size:
        return f"its picture changes from {scan.size[0]} x {scan.size[1]} to {frame.width} x {frame.height}"
    scan.landmarks.see(frame)
    scan.times.append(frame.pts)
    return ""


def _lost(stream: av.VideoStream, scan: _Scan) -> int:
    """How many pictures the decoder left out without a word, as HEVC's does; 0 if the number could be in order."""
    lost = scan.packets - scan.discarded - scan.landmarks.count
    fields = abs(scan.packets - 2 * scan.landmarks.count) <= 2
    never_shown = stream.codec_context.codec.canonical_name in ("vp8", "vp9", "av1")
    return lost if lost > max(2, 0.02 * scan.packets) and scan.landmarks.count and not fields and not never_shown else 0


def _missing(container: av.container.InputContainer, stream: av.VideoStream, scan: _Scan) -> str:
    """What the container announces beyond what is there; demuxers do not always call that an error."""
    kind = container.format.name
    if scan.landmarks.count == 0:
        return "it holds no picture"
    if "mp4" in kind and scan.packets < len(stream.index_entries):
        return f"it ends after {scan.packets} of {len(stream.index_entries)} announced pictures"
    rate = float(stream.average_rate or 0)
    announced, first = 0.0, 0.0
    if kind == "avi" and rate:
        announced = stream.frames / rate
    elif "matroska" in kind:
        # Matroska's is the end of the last picture, also of a stream that begins late.
        announced = _seconds(stream.metadata.get("DURATION", ""))
        first = min((float(time * clock.tick(stream)) for time in scan.stamps), default=0.0)
    present = first + _span(scan.stamps, stream) + (1 / rate if rate else 0)
    if announced > present + max(0.25, 3 / rate if rate else 0):
        return f"it ends after {present:.2f} of {announced:.2f} announced seconds"
    return ""


def _seconds(text: str) -> float:
    """Of Matroska's hh:mm:ss.fraction; 0 if there is none."""
    try:
        hours, minutes, seconds = text.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return 0.0


def _span(times: list[int], stream: av.VideoStream) -> float:
    return float((max(times) - min(times)) * clock.tick(stream)) if times else 0.0


def _describe(path: str, container: av.container.InputContainer, scan: _Scan) -> VideoInfo:
    stream = scan.stream
    assert stream is not None  # frames of it were decoded
    steps = np.diff(scan.stamps) if scan.monotonic else np.ones(1)
    variable = bool((np.abs(steps - np.median(steps)) > 0.5 * np.median(steps)).any())
    start, rate, moments, note = _timing(path, container, stream, scan.times[: scan.good])
    upside = scan.landmarks.rotation % 180 == 0
    width, height = scan.size if upside else scan.size[::-1]
    aspect = float(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1) or 1.0
    return VideoInfo(
        path=path,
        file=path,
        frames=scan.good,
        fps=rate,
        width=width,
        height=height,
        rotation=scan.landmarks.rotation,
        codec=stream.codec_context.codec.canonical_name,
        variable_rate=variable,
        reader="pyav",
        start=start,
        moments=moments,
        pixel_aspect=aspect if upside else 1 / aspect,
        stream=stream.index,
        note="; ".join(filter(None, [_choice(path, container, stream), note])),
    )


def _timing(
    path: str, container: av.container.InputContainer, stream: av.VideoStream, stamps: list[int | None]
) -> tuple[float, float, tuple[float, ...], str]:
    """(when the first frame is shown, mean rate, when each is if they come unevenly, what has to be known)."""
    times = [time for time in stamps if time is not None]
    rates = [rate for rate in (stream.average_rate, stream.guessed_rate) if rate]
    if len(times) < len(stamps) or any(a > b for a, b in zip(times, times[1:], strict=False)):
        rate = float(rates[0]) if rates else 25.0
        # AVI stores a rate and no times; what the library derives for pictures stored out of order is a guess.
        untold = container.format.name != "avi"
        note = f"{path}: its pictures have no times in order, they are taken as {rate:g} a second" if untold else ""
        return 0.0, rate, (), note
    seconds = [time * clock.tick(stream) - clock.origin(container) for time in times]
    even = clock.even_rate(seconds, clock.tick(stream), rates)
    if even or len(seconds) < 2 or seconds[0] == seconds[-1]:
        return float(seconds[0]), float(even or (rates[0] if rates else 25)), (), ""
    mean = (len(seconds) - 1) / (seconds[-1] - seconds[0])
    return float(seconds[0]), float(mean), tuple(map(float, seconds)), ""


def _choice(path: str, container: av.container.InputContainer, stream: av.VideoStream) -> str:
    """Which of several streams is read, and why; "" where there is no choice, or the first is read."""
    streams = moving_streams(container)
    if stream is streams[0]:
        return ""
    default = stream.disposition & av.stream.Disposition.default
    why = "which the file marks as its default" if default else "the largest picture"
    return f"{path}: stream {stream.index} is read, {why}, of its {len(streams)} streams of pictures"


def _choose_reader(info: VideoInfo, scan: _Scan, with_decord: bool) -> Generator[None, None, VideoInfo]:
    """decord if it is right, else PyAV with seeking if that is right, else PyAV from the start."""
    # decord turns pictures before it converts them, which smears colours.
    if with_decord and not scan.open_gop and not info.rotation:
        candidate = replace(info, reader="decord")
        if (yield from _agrees(candidate, scan.landmarks)):
            return candidate
    if scan.monotonic:
        candidate = replace(
            info, keyframes=tuple((number, stamp) for number, stamp in scan.landmarks.keys if stamp is not None)
        )
        if (yield from _agrees(candidate, scan.landmarks)):
            return candidate
    return info


def _agrees(info: VideoInfo, landmarks: _Landmarks) -> Generator[None, None, bool]:
    for number in landmarks.probes():
        yield
        try:
            picture = decode_alone(info, np.array([number]))[0]
        except VideoError:
            return False
        if not landmarks.shows(number, picture):
            return False
    return True
