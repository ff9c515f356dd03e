"""One frame of a player as a picture, without a browser: what films, GIFs and notebooks that run no scripts show."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from workbench.media.skeletons import SIDE_COLORS, SIDES, bone_sides
from workbench.show.scene import Edited, Track, span
from workbench.types import Clip, Pose, Truth

#: Pixels: the pictures of small clips are enlarged to at least this width; rows of text; gaps; the temporal weights.
WIDEST, LINE, GAP, STRIP = 360, 24, 12, 56
INK, FAINT, PAPER, PALE, ACCENT, MOMENT = (
    (27, 39, 51), (74, 88, 102), (243, 245, 248), (143, 184, 222), (11, 92, 173), (194, 65, 12),
)  # fmt: skip
#: Around a skeleton, so that it reads on any picture; the skeleton as it was.
RIM, GHOST = (30, 30, 30), (190, 190, 190)
#: The player's colours: inferno, and for what has negative values blue to orange.
INFERNO = "000004 1b0c41 4a0c6b 781c6d a52c60 cf4446 ed6925 fb9b06 f7d13d fcffa4"
SIGNED = "08306b 2171b5 6baed6 c6dbef f7f7f7 fdd0a2 fd8d3c d94801 7f2704"
OPACITY = 0.8
#: What pales a picture's own colours: a quarter of them, and three quarters of their mean.
PALED = np.float32(0.25) * (np.eye(3, dtype=np.float32) + 1)
_FACE = cv2.FontFace("sans")


def peak(clip: Clip, truth: Truth | None, tracks: Sequence[Track]) -> int:
    """The frame at which what the player shows first is strongest: its map, else its temporal weights; where it has
    neither, or they are the same at all times (within a hundredth), the middle of the true moment, or of the clip."""
    count = len(clip.frames)
    maps = [
        np.abs(cells(track.maps[name])) for track in tracks if (name := _first(tracks, track)) in _known(track.maps)
    ]
    weights = [np.abs(np.asarray(values, float)) for track in tracks for values in _known(track.temporal).values()]
    for course in [*(array.max((1, 2), initial=0) for array in map(np.nan_to_num, maps)), *map(np.nan_to_num, weights)]:
        if len(course) > 1 and course.max() - course.min() > 0.01 * course.max():
            return min(int((course.argmax() + 0.5) * count / len(course)), count - 1)
    moment = np.zeros(0, int) if truth is None else np.flatnonzero(truth.moment)
    return int(moment[len(moment) // 2]) if len(moment) else count // 2


def still(
    clip: Clip,
    pixels: Pose | None,
    truth: Truth | None,
    tracks: Sequence[Track],
    title: str,
    caption: str,
    edited: Edited,
    frame: int,
) -> np.ndarray:
    """uint8 [H,W,3] RGB: the panes of a player at ``frame``, with titles, temporal weights and answers."""
    zoom, tracks = -(-WIDEST // clip.frames.shape[2]), [_aimed(track, frame, len(clip.frames)) for track in tracks]
    key = {} if pixels is None else dict(zip(SIDES[1:], SIDE_COLORS[1:], strict=True))
    key |= {} if truth is None else {"true region": (255, 255, 255), "true moment": MOMENT}
    panes = []
    for track in tracks:
        shown, notes = _first(tracks, track), []
        edits, body, region = edited, track.pixels or pixels, track.truth or truth
        if track.before:
            edits, body = Edited(), edited.before or pixels
        picture = _picture(clip, track, edits, frame, zoom)
        if track.maps.get(shown) is not None:
            maps = [cells(pane.maps[shown]) for pane in tracks if pane.maps.get(shown) is not None]
            low, high = span(np.concatenate([values.ravel() for values in maps]))
            picture = _heated(picture, at_frame(cells(track.maps[shown]), frame, len(clip.frames)), low, high)
            notes.append(f"{shown}: {low:.3g} to {high:.3g}")
        elif shown in track.maps:
            notes.append(f"{track.title or 'this run'} has no map “{shown}”")
        if region is not None:
            _box(picture, region.box[frame] * zoom, bool(region.moment[frame]))
        if edits.before is not None:
            _skeleton(picture, edits.before, frame, zoom, GHOST)
        if body is not None:
            _skeleton(picture, body, frame, zoom)
        rows = [picture, *(_strip(name, values, truth, frame, picture.shape[1], len(clip.frames))
                           for name, values in list(_known(track.temporal).items())[:1])]  # fmt: skip
        notes += [_answer(*score) for score in track.scores]
        lines = [line for text in (*notes, track.note) if text for line in _wrapped(text, picture.shape[1] - 4)]
        rows += [_key(key, picture.shape[1])] * bool(key)
        panes.append(np.concatenate([*rows, *(_line(text, picture.shape[1]) for text in lines)]))
    return page(panes, [track.title for track in tracks], title, caption)


def readable(value: float) -> str:
    """A share in [0,1] with two digits that say something, however small."""
    return f"{value:.2f}" if value >= 0.01 or value < 5e-8 else f"{value:.2g}"


def _answer(name: str, score: float, before: float | None) -> str:
    """A class score and, where there was one before, its change."""
    if before is None:
        return f"{name} {readable(score)}"
    return f"{name} {readable(score)} ({'−' if score < before else '+'}{readable(abs(score - before))})"


def page(panes: Sequence[np.ndarray], titles: Sequence[str], heading: str = "", below: str = "") -> np.ndarray:
    """uint8 [H,W,3]: panes side by side, up to four in a row, each below its title; heading above, a line below."""
    columns = len(panes) if len(panes) <= 4 else -(-len(panes) // -(-len(panes) // 4))
    tall, wide = (max(pane.shape[side] for pane in panes) for side in (0, 1))
    width = columns * (wide + GAP) + GAP
    above, under = (
        _wrapped(text, width - 2 * GAP, size) if text else [] for text, size in ((heading, 18), (below, 15))
    )
    named, rows = LINE * any(titles), -(-len(panes) // columns)
    top = LINE * len(above) + GAP
    sheet = np.full((top + rows * (tall + named + GAP) + LINE * len(under), width, 3), 255, np.uint8)
    for i, text in enumerate(above):
        _write(sheet, text, GAP, LINE * (i + 1) - 2, INK, 18)
    for i, (pane, title) in enumerate(zip(panes, titles, strict=True)):
        y, x = top + i // columns * (tall + named + GAP), GAP + i % columns * (wide + GAP)
        _write(sheet[:, : x + wide], title, x, y + 17, INK)
        sheet[y + named : y + named + pane.shape[0], x : x + pane.shape[1]] = pane
    for i, text in enumerate(under):
        _write(sheet, text, GAP, len(sheet) - LINE * (len(under) - i) + 13, FAINT)
    return sheet


def _key(colors: Mapping[str, tuple[int, int, int]], width: int) -> np.ndarray:
    """What colours mean: a swatch, its name, the next swatch."""
    row, x = np.full((LINE, width, 3), 255, np.uint8), 2
    for name, color in colors.items():
        cv2.rectangle(row, (x, 6), (x + 12, 18), color, -1)
        cv2.rectangle(row, (x, 6), (x + 12, 18), INK, 1)
        _write(row, name, x + 18, 17, INK)
        x += 18 + _wide(name, 15) + GAP
    return row


def _line(text: str, width: int) -> np.ndarray:
    row = np.full((LINE, width, 3), 255, np.uint8)
    _write(row, text, 2, 17, INK)
    return row


def cells(value: Any) -> np.ndarray:
    """A map as float32 [T',H',W']."""
    values = np.asarray(value, np.float32)
    return values[None] if values.ndim == 2 else values


def at_frame(values: np.ndarray, frame: int, count: int) -> np.ndarray:
    """The map [T',H',W'] at one of ``count`` frames, between the middles of its steps as the player has it."""
    position = min(max((frame + 0.5) * len(values) / count - 0.5, 0), len(values) - 1)
    low = int(position)
    return values[low] if position == low else values[low] + (position - low) * (values[low + 1] - values[low])


def _aimed(track: Track, frame: int, count: int) -> Track:
    """With the map of where the middle of the picture looks, if the track has an affinity."""
    if track.affinity is None:
        return track
    matrix, (steps, rows, columns), keys = track.affinity
    cell = (int((frame + 0.5) * steps / count) * rows + rows // 2) * columns + columns // 2
    return replace(track, maps={**track.maps, "affinity": np.asarray(matrix)[cell].reshape(keys)})


def _known(layers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in layers.items() if value is not None}


def _first(tracks: Sequence[Track], track: Track) -> str:
    """The map that a pane shows when the player opens."""
    if track.pin is not None:
        return track.pin
    names = [name for each in tracks for name in _known(each.maps)] or [name for each in tracks for name in each.maps]
    return next(iter(names), "")


def _picture(clip: Clip, track: Track, edited: Edited, frame: int, zoom: int) -> np.ndarray:
    frames = clip.frames if track.frames is None else track.frames
    source = frames[frame if edited.order is None else int(edited.order[frame])]
    picture = cv2.resize(source, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    for box, (start, end), color in edited.covers:
        left, top, right, bottom = (round(float(side) * zoom) for side in box)
        if start <= frame < end:
            picture[max(top, 0) : bottom, max(left, 0) : right] = np.asarray(color, np.uint8)
    return picture


def _heated(picture: np.ndarray, values: np.ndarray, low: float, high: float) -> np.ndarray:
    """The picture, its own colours paled, under the map's."""
    fine = cv2.resize(np.asarray(values, np.float32), picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    share = np.clip((np.nan_to_num(fine) - np.float32(low)) / np.float32(high - low), 0, 1)
    strength = np.abs(2 * share - 1) if low < 0 else share
    alpha = OPACITY * (0.12 + 0.88 * np.sqrt(strength)) * np.isfinite(fine)
    colours = _palette(SIGNED if low < 0 else INFERNO)[np.rint(share * 255).astype(np.uint8)]
    return cv2.blendLinear(colours, cv2.transform(picture, PALED), alpha, 1 - alpha)


@functools.cache
def _palette(stops: str) -> np.ndarray:
    """uint8 [256,3]: colours between the stops, RGB in hexadecimal."""
    colours = np.array([list(bytes.fromhex(stop)) for stop in stops.split()], np.float32)
    shares, places = np.linspace(0, 1, 256), np.linspace(0, 1, len(colours))
    return np.rint([np.interp(shares, places, channel) for channel in colours.T]).T.astype(np.uint8)


def _box(picture: np.ndarray, box: np.ndarray, inside: bool) -> None:
    """The true region: thick in its moment, thin outside it."""
    if np.isnan(box).any():
        return
    low, high = ((round(float(x)), round(float(y))) for x, y in (box[:2], box[2:]))
    for color, more in ((RIM, 3), ((255, 255, 255), 0)):
        cv2.rectangle(picture, low, high, color, (3 if inside else 1) + more, cv2.LINE_AA)


def _skeleton(picture: np.ndarray, pose: Pose, frame: int, zoom: int, only: tuple | None = None) -> None:
    colors = [only or SIDE_COLORS[side] for side in bone_sides(pose.skeleton)]
    width = max(2, picture.shape[1] // 130)
    for joints in pose.joints[:, frame, :, :2] * zoom:
        places = np.clip(np.nan_to_num(joints), -9999, 9999).round().astype(int).tolist()
        for rim in (False,) if only else (True, False):
            for (child, parent), color in zip(pose.skeleton.bones, colors, strict=True):
                if np.isfinite(joints[[child, parent]]).all():
                    ends = places[child], places[parent]
                    cv2.line(picture, *ends, RIM if rim else color, width * (1 + rim), cv2.LINE_AA)


def _strip(name: str, values: Any, truth: Truth | None, frame: int, width: int, count: int) -> np.ndarray:
    """uint8 [STRIP,width,3]: temporal weights as bars, the true moment below them, a line at the frame."""
    strip = np.full((STRIP, width, 3), PAPER, np.uint8)
    weights = np.nan_to_num(np.asarray(values, float))
    edges, floor = np.linspace(0, width, len(weights) + 1).round().astype(int), STRIP - 8
    step = min(int((frame + 0.5) * len(weights) / count), len(weights) - 1)
    low, high = min(weights.min(), 0), max(weights.max(), 0)
    rows = np.rint(floor - (np.stack([weights, 0 * weights]) - low) / (high - low or 1) * (floor - 18)).astype(int)
    for i, (first, second) in enumerate(rows.T):
        top, bottom = min(first, second), max(first, second)
        strip[top : bottom + 1, edges[i] + 1 : max(edges[i + 1] - 1, edges[i] + 2)] = ACCENT if i == step else PALE
    for i in [] if truth is None else np.flatnonzero(truth.moment).tolist():
        strip[floor + 3 :, int(i * width / count) : int((i + 1) * width / count)] = MOMENT
    _write(strip, f"{name}, largest {weights.max():.3g}", 4, 14, FAINT, 12)
    cv2.line(strip, (x := int((frame + 0.5) * width / count), 0), (x, STRIP), INK, 2)
    return strip


def _write(picture: np.ndarray, text: str, x: int, y: int, color: tuple[int, int, int], size: int = 15) -> None:
    """Text in any script on ``picture``, from x on along the base line y; what has no room ends in an ellipsis."""
    first, *rest = _wrapped(text, picture.shape[1] - x - 2, size)
    top = max(y - 2 * size, 0)
    band = np.ascontiguousarray(picture[top : y + size])
    cv2.putText(band, f"{first}…" if rest else first, (x, y - top), color, _FACE, size, 400)
    picture[top : y + size] = band


@functools.lru_cache(256)
def _wrapped(text: str, room: int, size: int = 15) -> list[str]:
    """The text in lines of at most ``room`` pixels; words that are longer are broken."""
    lines = [""]
    for word in str(text).split():
        for part in [word] if _wide(word, size) <= room else list(word):
            gap = " " if lines[-1] and part is word else ""
            if lines[-1] and _wide(lines[-1] + gap + part + "…", size) > room:
                lines.append(part)
            else:
                lines[-1] += gap + part
    return lines


def _wide(text: str, size: int) -> int:
    return cv2.getTextSize((10**6, 100), text, (0, 50), _FACE, size, 400)[2]
