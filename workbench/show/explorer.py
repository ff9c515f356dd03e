"""The explorer: a clip in the player whose joints can be dragged and whose picture can be covered, and what up to four
systems answer to that, in step."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
import numpy as np

from workbench.explain import interventions as made
from workbench.explain.what_if import Answer, Change, WhatIf, where_and_when
from workbench.explain.what_if_clip import Subject
from workbench.show import saving
from workbench.show.player import Edited, Player, Track
from workbench.show.session import attended
from workbench.show.widgets import STYLE, sentence

#: What a drag moves: bones keep their lengths, but where the joint goes alone.
WHAT_MOVES = {"the limb": "limb", "the joint alone": "joint", "the whole body": "body"}
#: Below this change of every class score, in [0,1], an answer is said not to change.
UNMOVED = 5e-4
#: How many class scores are shown under a pane.
SHOWN = 5


class Explorer(ipywidgets.VBox):
    """A player and the controls to change the clip in it.

    sessions: name of a run -> WhatIf, one to four of the same clip; donors: name -> Subject, other clips whose joints
    may be transplanted. ``changes`` is the list of what was done, ``answers`` what each run says to that, ``player``
    the view, ``error`` what went wrong at the last change, or None (the picture is then that of the last answer). A
    change is made by hand, by a control, or by ``apply``. ValueError where the clips differ.
    """

    def __init__(self, sessions: Mapping[str, WhatIf], donors: Mapping[str, Subject] | None = None, title: str = ""):
        if not 1 <= len(sessions) <= 4:
            raise ValueError(f"an explorer shows one to four runs, got {len(sessions)}")
        self.sessions, self.donors = dict(sessions), dict(donors or {})
        self.clip = self._first.sample.clip
        if any(not np.array_equal(session.sample.clip.frames, self.clip.frames) for session in self.sessions.values()):
            raise ValueError("the runs of an explorer must have the same clip, with the same crop and frames")
        self.changes: list[Change] = []
        self.answers = {name: session.original for name, session in self.sessions.items()}
        self.error: Exception | None = None
        self._dragging = False
        self.player = Player(self.clip, truth=self._first.truth, title=title, **self._drawn())
        self.player.on_edit(self.hear)
        self._message, self._list = ipywidgets.HTML(), ipywidgets.HTML()
        saved = saving.control(lambda: self.player)
        super().__init__([self.player, self._controls(), self._list, self._message, saved])
        self.add_class("wb-explorer")
        self._tell()

    @property
    def _first(self) -> WhatIf:
        return next(iter(self.sessions.values()))

    def apply(self, *new: Change) -> None:
        """Makes more changes and shows the answers; what can't be done is told in one sentence, and nothing moves."""
        self._try([*self.changes, *new])

    def undo(self) -> None:
        """Takes the last change back."""
        self._try(self.changes[:-1])

    def reset(self) -> None:
        """The clip as it was."""
        self._try([])

    def hear(self, edit: Mapping[str, Any]) -> None:
        """What the viewer did in the player (see ``Player.on_edit``)."""
        before = self.changes[:-1] if self._dragging else self.changes
        if edit.get("kind") == "cover":
            self._dragging = False
            self._try([*self.changes, made.Cover(tuple(edit["box"]), fill=self.fill.value)])
            return
        skeleton, reach = self._first.skeleton, self.reach.value
        joint = skeleton.joints[int(edit["joint"])]
        to = (float(edit["x"]), float(edit["y"]))
        over = None if self.whole.value else reach
        last = made.Move(joint, int(edit["frame"]), to, int(edit["person"]), over, self.moves.value)
        self._try([*before, last])
        self._dragging = not edit.get("done", True) and self.error is None

    def _try(self, changes: list[Change]) -> None:
        try:
            self.answers = {name: session.ask(changes) for name, session in self.sessions.items()}
            self.changes, self.error = changes, None
        except (ValueError, RuntimeError) as problem:
            self.error = problem
        self.player.update(**self._drawn())
        self._tell()

    def _drawn(self) -> dict[str, Any]:
        """What the player shows of the answers."""
        subject, original = next(iter(self.answers.values())).subject, self._first.subject
        tools = ("joint", "cover") if original.pixels is not None else ("cover",)
        covers = [change for change in self.changes if isinstance(change, made.Cover)]
        colour = self.clip.frames.mean((0, 1, 2))
        edited = Edited(
            tools,
            original.pixels if subject.pixels is not original.pixels else None,
            self._order(),
            [
                (cover.box, cover.frames or (0, subject.frames), (0, 0, 0) if cover.fill == "black" else colour)
                for cover in covers
            ],
        )
        tracks = [self._track(name, answer) for name, answer in self.answers.items()]
        return {"pixels": subject.pixels, "tracks": tracks, "edited": edited}

    def _order(self) -> np.ndarray:
        """Which frame of the clip stands at each place, after every shuffle of the video."""
        order = np.arange(len(self.clip.frames))
        for change in self.changes:
            if isinstance(change, made.Shuffle) and change.what != "pose":
                order = order[change.order(len(order))]
        return order

    def _track(self, name: str, answer: Answer) -> Track:
        before = self.sessions[name].original
        classes = self.sessions[name].classes or [f"class {i}" for i in range(len(answer.scores))]
        best = list(dict.fromkeys([*np.argsort(-answer.scores)[: SHOWN - 1], before.label]))
        best = sorted(best, key=lambda label: -answer.scores[label])
        old = before.scores if self.changes else [None] * len(before.scores)
        scores = [(classes[label], answer.scores[label], old[label]) for label in best]
        maps = {"attention": where_and_when(answer.maps), "spatial": answer.maps.get("spatial")}
        return Track(
            name, maps, {"temporal": answer.maps.get("temporal")}, scores=scores, note=self._note(name, answer)
        )

    def _note(self, name: str, answer: Answer) -> str:
        words = [f"answered in {answer.milliseconds:.0f} ms"]
        if self.changes and answer.kept:
            words.append(f"ran {', '.join(answer.ran) or 'nothing'} again, kept {', '.join(answer.kept)}")
        elif self.changes:
            words.append("ran everything again")
        if self.changes and (unmoved := self._unmoved(name, answer)):
            words.insert(0, unmoved)
        before = self.sessions[name].original.grades
        for grade, value in answer.grades.items():
            if np.isfinite(value):
                words.append(f"{grade.replace('_', ' ')} {before[grade]:.2f} → {value:.2f}")
        if answer.untouched:
            words.append(f"unchanged, because only the loader can compute it: {', '.join(answer.untouched)}")
        return "; ".join(words)

    def _unmoved(self, name: str, answer: Answer) -> str:
        """In words, where the changes move no class score by UNMOVED; "" where they do."""
        moved = float(np.abs(answer.scores - self.sessions[name].original.scores).max())
        if moved >= UNMOVED or answer.untouched:
            return ""
        of = {kind for change in self.changes for kind in getattr(change, "of", ())}
        what = {frozenset({"pose"}): "the pose", frozenset({"video"}): "the changed picture"}.get(frozenset(of), "this")
        return f"this network does not use {what} here: no score changes by {UNMOVED} (the largest by {moved:.1g})"

    def _controls(self) -> ipywidgets.Widget:
        """What can be done besides dragging."""
        joints = self._first.skeleton.joints if self._first.skeleton is not None else ()
        wide = {"style": STYLE, "layout": ipywidgets.Layout(width="320px")}
        self.joints = ipywidgets.SelectMultiple(description="joints", options=joints, value=joints[-1:], rows=6, **wide)
        self.moves = ipywidgets.Dropdown(description="drag moves", options=WHAT_MOVES, **wide)
        self.reach = ipywidgets.FloatSlider(description="drag reaches", value=2, min=0, max=8, step=0.5, **wide)
        self.whole = ipywidgets.Checkbox(description="drag in all frames", value=False, **wide)
        self.sigma = ipywidgets.FloatSlider(description="jitter", value=0.03, min=0, max=0.2, step=0.01, **wide)
        self.what = ipywidgets.Dropdown(description="shuffle", options=["both", "pose", "video"], **wide)
        self.fill = ipywidgets.Dropdown(description="cover with", options=["mean", "black", "blur"], **wide)
        self.donor = ipywidgets.Dropdown(description="other clip", options=list(self.donors), **wide)
        self.buttons = {
            "drop": self._button("drop joints", lambda: made.Drop(self.joints.value)),
            "freeze": self._button("freeze joints", lambda: made.Freeze(self.joints.value, self.player.frame)),
            "jitter": self._button("jitter joints", self._jitter),
            "mirror": self._button("mirror body", made.Mirror),
            "transplant": self._button("transplant joints", self._transplant),
            "shuffle": self._button("shuffle time", lambda: made.Shuffle(self.what.value, len(self.changes))),
            "undo": ipywidgets.Button(description="undo"),
            "reset": ipywidgets.Button(description="reset"),
        }
        self.buttons["undo"].on_click(lambda _: self.undo())
        self.buttons["reset"].on_click(lambda _: self.reset())
        for name in ("drop", "freeze", "jitter", "mirror", "transplant"):
            self.buttons[name].disabled = not joints or (name == "transplant" and not self.donors)
        settings = [self.joints, self.moves, self.reach, self.whole, self.sigma, self.what, self.fill, self.donor]
        row = ipywidgets.Layout(flex_flow="row wrap", grid_gap="4px 12px", display="flex", max_width="1100px")
        return ipywidgets.VBox(
            [ipywidgets.Box(settings, layout=row), ipywidgets.Box(list(self.buttons.values()), layout=row)]
        )

    def _button(self, label: str, change: Callable[[], Change]) -> ipywidgets.Button:
        button = ipywidgets.Button(description=label)
        button.on_click(lambda _: self.apply(change()))
        return button

    def _jitter(self) -> Change:
        return made.Jitter(self.joints.value, self.sigma.value, len(self.changes))

    def _transplant(self) -> Change:
        return made.Transplant(self.joints.value, self.donors[self.donor.value])

    def _tell(self) -> None:
        self._list.value = html.escape("; ".join(map(words, self.changes)) or "nothing changed yet")
        message = "" if self.error is None else html.escape(sentence(self.error))
        self._message.value = message and f'<span role="alert" style="color:#a61b1b;font-weight:600">{message}</span>'

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The explorer where somebody can use it; the player alone in a notebook that runs headless."""
        return super()._repr_mimebundle_(**kwargs) if attended() else self.player._repr_mimebundle_(**kwargs)


def words(change: Change) -> str:
    """A change in a few words, for people."""

    def text(value: Any) -> str:
        if isinstance(value, tuple):
            return ", ".join(map(text, value))
        return f"{value:.4g}" if isinstance(value, float) else str(value)

    facts = [text(value) for name, value in vars(change).items() if name != "donor" and value is not None]
    return " ".join([type(change).__name__.lower(), *facts])
