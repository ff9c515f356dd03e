"""The player: a clip with its skeleton, maps and temporal weights, in a notebook, on a page, in a mailed file."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from torch import Tensor

from safefiles import drafts
from workbench.media import films
from workbench.media.skeletons import SIDE_COLORS
from workbench.show.scene import Edited, Track, as_clip, describe, jpeg, pictures
from workbench.show.session import Live, attended
from workbench.show.stills import peak, still
from workbench.types import Clip, Pose, Truth

__all__ = ["Edited", "Player", "Track", "page", "fragment", "made_again", "page_script"]

HERE = Path(__file__).parent
#: The files that a player is saved as.
SUFFIXES = (".html", *films.SUFFIXES)
#: What stands below the still where no script takes its place.
STILL = "A still of a player: it plays where scripts may run (JupyterLab and VS Code: trust this notebook first)."
_OPEN, _CLOSE = "<!--player script-->", "<!--/player script-->"


def module() -> str:
    """The player's JavaScript, with the colours that sides of the body have everywhere."""
    colors = [f"rgb{color}" for color in SIDE_COLORS]
    return f"const SIDES = {json.dumps(colors)};\n{(HERE / 'player.js').read_text()}"


class Player(Live, anywidget.AnyWidget):
    """Plays a clip with every map in step; scrubs frame by frame without asking the kernel.

    ``frame`` is the frame in view, at first the peak of what is shown, synchronised both ways when the player rests.
    ``update`` exchanges what is drawn over the clip. ``on_edit(callback)`` hears what the viewer does: {"kind":
    "joint", "person", "joint" (its index), "frame", "x", "y", "done" (let go)} or {"kind": "cover", "box", "frame"},
    in clip pixels; the player waits for an ``update`` before it tells more.

    Args:
        clip: what is shown, or its frames uint8 [T,H,W,3] alone, an array or tensor, then played at 25 a second.
        pixels: Pose in clip pixels (space "image") on the clip's frames, or None. Maps may stand here in its place.
        maps: one map alone, or name -> float [T',H',W'], [T,H,W] or [H',W'], or None where the system lacks it (a
            labelled blank); a step t' covers the frames [t' T/T', (t'+1) T/T'), a cell the same share of the picture.
            A map finer than 64 cells on a side is averaged down to that.
        temporal: name -> float [T'].
        truth: on the clip's frames, in clip pixels.
        title: text, never HTML.
        caption: text, never HTML.
        tracks: two to four runs side by side on the same clip (up to six panes where each pins a map of its own, up to
            24 where each has frames of its own, up to 12 where some show the clip as it was before it was edited),
            instead of maps and temporal; maps of one name share a colour scale.
        quality: of the JPEG pictures, 1 to 100.
        edited: what was done to the clip, and the tools that the viewer gets.

    Raises:
        ValueError: sizes that do not fit, or a clip without frames.
    """

    _esm = module()
    _css = HERE / "player.css"
    _frames: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _scene = traitlets.Dict().tag(sync=True)
    frame = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        clip: Clip | Any,
        pixels: Pose | Any = None,
        maps: Mapping[str, Any] | Any = None,
        temporal: Mapping[str, Any] | None = None,
        truth: Truth | None = None,
        title: str = "",
        caption: str = "",
        tracks: Sequence[Track] | None = None,
        quality: int = 85,
        edited: Edited | None = None,
    ) -> None:
        clip = as_clip(clip)
        if pixels is not None and not isinstance(pixels, Pose):
            if maps is not None:
                raise ValueError(f"pixels must be a Pose in pixels of the clip, got a {type(pixels).__name__}")
            pixels, maps = None, pixels
        if not len(clip.frames):
            raise ValueError(f"the clip {clip.source!r} has no frames to play")
        shown = _tracks(maps, temporal, tracks)
        self._parts: dict[str, Any] = {"clip": clip, "pixels": pixels, "truth": truth, "title": title}
        self._parts |= {"caption": caption, "tracks": shown, "edited": edited or Edited()}
        self._updates, self._quality = 0, quality
        scene = describe(**self._parts)
        super().__init__(_frames=pictures(clip, shown, quality), _scene=scene, frame=peak(clip, truth, shown))

    def on_edit(self, callback: Callable[[dict], None]) -> None:
        """``callback(edit)`` is called for whatever the viewer does to the clip."""
        self.on_msg(lambda _, content, __: callback(content))

    def update(
        self,
        maps: Mapping[str, Any] | None = None,
        temporal: Mapping[str, Any] | None = None,
        tracks: Sequence[Track] | None = None,
        **parts: Any,
    ) -> None:
        """Draws other maps, weights, pixels, truth, edits, title or caption over the same clip; the rest stays.

        maps and temporal belong to a player of one run; one that shows several takes ``tracks``.
        """
        valid = ("pixels", "truth", "title", "caption", "edited")
        if unknown := sorted(set(parts) - set(valid)):
            raise ValueError(
                f"a player cannot update {', '.join(unknown)}; it can: maps, temporal, tracks, {', '.join(valid)}"
            )
        if tracks is not None:
            parts["tracks"] = _tracks(maps, temporal, tracks)
        elif maps is not None or temporal is not None:
            if len(self._parts["tracks"]) > 1:
                raise ValueError(
                    f"this player shows {len(self._parts['tracks'])} tracks; update them with tracks=[...]"
                )
            new = _tracks(maps, temporal, None)[0]
            changes = {"maps": None if maps is None else new.maps, "temporal": temporal}
            changes = {name: value for name, value in changes.items() if value is not None}
            parts["tracks"] = [replace(self._parts["tracks"][0], **changes)]
        merged = {**self._parts, **parts}
        self._updates += 1  # an answer that looks like the last one is an answer all the same
        scene = {**describe(**merged), "update": self._updates}
        shown = [[id(track.frames) for track in tracks] for tracks in (self._parts["tracks"], merged["tracks"])]
        with self.hold_sync():  # pictures and what is drawn over them change together
            if shown[0] != shown[1]:
                self._frames = pictures(merged["clip"], merged["tracks"], self._quality)
            self._scene = scene
        self._parts = merged

    def to_html(self, script: bool = True) -> str:
        """An HTML fragment that plays offline; script=False leaves the module out, for a page that has one."""
        frames = [base64.b64encode(frame).decode() for frame in self._frames]
        scene = {**self._scene, "frame": self.frame, "tools": []}  # nobody is there to answer an edit
        static = fragment(scene, frames, base64.b64encode(jpeg(self.still())).decode())
        return static + page_script() if script else static

    def still(self, frame: int | None = None) -> np.ndarray:
        """uint8 [H,W,3] RGB: the player at a frame (None: the one in view), as a picture."""
        return still(**self._parts, frame=self.frame if frame is None else frame)

    def save(self, path: str | Path) -> Path:
        """Writes what plays without the notebook and offline, atomically; returns its path.

        .html is a page with the player itself; .mp4, .gif and .png (the frame in view) are pictures of it, at the
        clip's own speed. ValueError for another suffix, OSError where the file can't be written.
        """
        path = Path(path)
        suffix = films.check(path, SUFFIXES)
        if suffix == ".html":
            drafts.write(path, page(self.to_html(), str(self._parts["title"]) or "Clip").encode())
            return path
        frames = [self.frame] if suffix == ".png" else range(len(self._parts["clip"].frames))
        return films.write(path, map(self.still, frames), 1 / self._scene["interval"])

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict]:
        """The static page always, and a still for viewers that take no HTML; the live view too where somebody is there
        to use it.

        A headless run keeps these alone: readers of the notebook would otherwise prefer a view whose kernel is gone.
        """
        bundle = super()._repr_mimebundle_(**kwargs) if attended() else None
        live = {} if bundle is None else bundle[0]
        picture = base64.b64encode(films.png(self.still())).decode()
        return {"text/plain": f"{self!r} {STILL}", **live, "text/html": self.to_html(), "image/png": picture}, {}

    def __repr__(self) -> str:
        scene = self._scene
        return f"Player({scene['title']!r}, {len(scene['numbers'])} frames, {len(scene['tracks'])} track(s))"


def fragment(scene: dict, frames: list[str], poster: str) -> str:
    """The HTML of a static player: ``scene`` as ``describe`` makes it, whose texts are text; frames and poster are JPEG
    in base64. ValueError where the scene is no JSON."""
    title, caption = (html.escape(str(scene[key])) for key in ("title", "caption"))
    data = json.dumps({"scene": scene, "frames": frames}, allow_nan=False, separators=(",", ":"))
    return (
        f'<div class="wb-player" data-player role="group" aria-label="{title or "clip"}">'
        f'<figure><img alt="{title or "clip"}, {caption}" src="data:image/jpeg;base64,{poster}">'
        f"<figcaption>{STILL}</figcaption></figure>"
        f'<script type="application/json">{data.replace("<", chr(92) + "u003c")}</script></div>'
    )


def made_again(text: str) -> str | None:
    """The fragment, without the module, that the data of a static player in ``text`` give: of the HTML itself nothing
    is kept, as anybody may have written it. None where there is no such data."""
    data = re.search(r'<script type="application/json">([^<]*)</script>', text)
    poster = re.search(r'src="data:image/jpeg;base64,([A-Za-z0-9+/=]*)"', text)
    if data is None or poster is None:
        return None
    try:
        player = json.loads(data[1])
        if not all(isinstance(frame, str) and re.fullmatch(r"[A-Za-z0-9+/=]*", frame) for frame in player["frames"]):
            return None
        return fragment(player["scene"], player["frames"], poster[1])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def page_script() -> str:
    """The player's module and style; players on the page start when they scroll into view."""
    style = (HERE / "player.css").read_text()
    return f'{_OPEN}<style>{style}</style><script type="module">{module()}\nboot(document);</script>{_CLOSE}'


def page(body: str, title: str) -> str:
    """A whole HTML page around trusted ``body``; ``title`` is text."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"></head>'
        f'<body style="margin:24px;background:#fff">{body}</body></html>'
    )


def _arrays(maps: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors as arrays, whatever they are needed for."""
    return {
        name: values.detach().cpu().numpy() if isinstance(values, Tensor) else values for name, values in maps.items()
    }


def _tracks(maps: Any, temporal: Any, tracks: Sequence[Track] | None) -> list[Track]:
    if tracks is None:
        named = maps if isinstance(maps, Mapping) else {} if maps is None else {"map": maps}
        return [Track("", _arrays(named), _arrays(temporal or {}))]
    if maps is not None or temporal is not None:
        raise ValueError("a player takes either maps and temporal, or tracks that bring their own")
    framed, pinned = ([getattr(track, name) is not None for track in tracks] for name in ("frames", "pin"))
    most, number = (24, "24") if all(framed) else (6, "six pinned") if all(pinned) else (4, "four")
    most, number = (12, "twelve") if any(track.before for track in tracks) else (most, number)
    if not 1 <= len(tracks) <= most:
        raise ValueError(f"a player shows one to {number} tracks side by side, got {len(tracks)}")
    return list(tracks)
