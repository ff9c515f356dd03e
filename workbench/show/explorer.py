"""The explorer: a clip in the player whose joints can be dragged and whose picture can be covered, and what up to four
systems answer to that, in step."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import ipywidgets
import numpy as np

from workbench.explain import interventions as made
from workbench.explain.what_if import PICTURED, Answer, Change, Redrawn, WhatIf, where_and_when
from workbench.explain.what_if_clip import Subject
from workbench.show import saving
from workbench.show.player import Edited, Player, Track
from workbench.show.session import attended
from workbench.show.stills import readable
from workbench.show.widgets import STYLE, alert

#: What a drag moves: bones keep their lengths, but where the joint goes alone.
WHAT_MOVES = {"the limb": "limb", "the joint alone": "joint", "the whole body": "body"}
#: Whether the picture shows what was done to the joints.
STAYS, FOLLOWS = "no", "drawn again"
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

    redraw: draws the clip again as changes say, or why nothing can, in a sentence. Where the choice ``follow`` is
    FOLLOWS, each run has three panes: as it was, poses moved, poses and picture moved; ``drawn`` is what it says to the
    last. A drag is drawn when it ends.
    """

    def __init__(
        self,
        sessions: Mapping[str, WhatIf],
        donors: Mapping[str, Subject] | None = None,
        title: str = "",
        redraw: Callable[[Sequence[Change]], Redrawn] | str = "",
    ) -> None:
        if not 1 <= len(sessions) <= 4:
            raise ValueError(f"an explorer shows one to four runs, got {len(sessions)}")
        self.sessions, self.donors = dict(sessions), dict(donors or {})
        self.clip = self._first.sample.clip
        if any(not np.array_equal(session.sample.clip.frames, self.clip.frames) for session in self.sessions.values()):
            raise ValueError("the runs of an explorer must have the same clip, with the same crop and frames")
        if callable(redraw) and (lacks := [name for name, session in self.sessions.items() if session.cut is None]):
            raise ValueError(f"the picture can't follow in {', '.join(lacks)}: the session does not say how to cut it")
        self.changes: list[Change] = []
        self.answers = {name: session.original for name, session in self.sessions.items()}
        self.drawn = dict(self.answers)
        self.error: Exception | None = None
        self._dragging, self._redraw = False, redraw
        #: The sample that was drawn last, whether of the changes as they are now, and what of them it doesn't show.
        self._picture, self._current, self._undrawn = None, True, ""
        controls = self._controls()
        self.player = Player(self.clip, truth=self._first.truth, title=title, **self._shown())
        self.player.on_edit(self.hear)
        self._message, self._list = ipywidgets.HTML(), ipywidgets.HTML()
        saved = saving.control(lambda: self.player)
        super().__init__([self.player, controls, self._list, self._message, saved])
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
        joint = self._first.subject.schema.joints[int(edit["joint"])]
        to = (float(edit["x"]), float(edit["y"]))
        reach = None if self.all_frames.value else self.reach.value
        last = made.Move(joint, int(edit["frame"]), to, int(edit["person"]), reach, self.moves.value)
        done = edit.get("done", True)
        self._try([*before, last], done)
        self._dragging = not done and self.error is None

    def _try(self, changes: list[Change], done: bool = True) -> None:
        """Shows what the runs say to the poses at once, and then, of what is ``done``, to the picture."""
        try:
            self.answers = {name: session.ask(changes) for name, session in self.sessions.items()}
            self.changes, self.error, self._current = changes, None, False
        except (ValueError, RuntimeError) as problem:
            self.error = problem
        self._show()
        if done and self.follows and self.error is None:
            try:
                self._draw()
            except (ValueError, RuntimeError, OSError) as problem:
                self.error = problem
            self._show()

    @property
    def follows(self) -> bool:
        """Whether the picture is drawn again."""
        return callable(self._redraw) and self.follow.value == FOLLOWS

    def _draw(self) -> None:
        """Asks every run about the clip whose picture followed."""
        assert callable(self._redraw)  # the choice is not offered where nothing can be drawn
        redrawn = self._redraw(self.changes)
        samples = {}
        if redrawn.source is not None:
            cuts = {name: session.cut for name, session in self.sessions.items() if session.cut is not None}
            samples = {name: cut(redrawn.source) for name, cut in cuts.items()}
        self.drawn = {name: session.ask(self.changes, samples.get(name)) for name, session in self.sessions.items()}
        self._picture, self._undrawn, self._current = next(iter(samples.values()), None), redrawn.words, True

    def _show(self) -> None:
        self.player.update(**self._shown())
        self._tell()

    def _shown(self) -> dict[str, Any]:
        """What the player shows of the answers."""
        subject, original = next(iter(self.answers.values())).subject, self._first.subject
        tools = ("joint", "cover") if original.pixels is not None else ("cover",)
        covers = [change for change in self.changes if isinstance(change, made.Cover)]
        colour = self.clip.frames.mean((0, 1, 2))
        before = original.pixels if subject.pixels is not original.pixels else None
        regions = [
            (cover.box, cover.frames or (0, subject.frames), (0, 0, 0) if cover.fill == "black" else colour)
            for cover in covers
        ]
        edited = Edited(tools, before, self._order(), regions)
        tracks = [self._track(name, name, answer) for name, answer in self.answers.items()]
        if self.follows:
            tracks = [track for name in self.sessions for track in self._three(name)]
        return {"pixels": subject.pixels, "tracks": tracks, "edited": edited}

    def _order(self) -> np.ndarray:
        """Which frame of the clip stands at each place, after every shuffle of the video."""
        order = np.arange(len(self.clip.frames))
        for change in self.changes:
            if isinstance(change, made.Shuffle) and change.what != "pose":
                order = order[change.order(len(order))]
        return order

    def _three(self, name: str) -> list[Track]:
        """The clip as it was, with its poses moved, and with its picture moved too."""
        was = self._track(name, f"{name}: as it was", self.sessions[name].original)
        scores = [(label, score, None) for label, score, _ in was.scores]
        drawn = self._track(name, f"{name}: poses and picture moved", self.drawn[name])
        if self._picture is not None:
            pixels = self._picture.pixels if self._current else None  # a dragged joint is seen on its way
            drawn = replace(drawn, frames=self._picture.clip.frames, pixels=pixels, truth=self._picture.truth)
        if self._current:
            drawn = replace(drawn, note=self._share(name))
        else:
            drawn = replace(drawn, note="not drawn yet: the picture follows when you let go", scores=())
        was = replace(was, scores=scores, note="", before=True)
        panes = [was, self._track(name, f"{name}: poses moved", self.answers[name]), drawn]
        if any(values is not None for values in was.maps.values()):
            return panes
        return [replace(pane, maps={}, pin="") for pane in panes]  # the picture is to be seen

    def _share(self, name: str) -> str:
        """In words, what the poses and what the picture did to the score of the class that was the answer."""
        session, sentences = self.sessions[name], [self._undrawn] if self._undrawn else []
        if self._picture is None:
            return "; ".join([*sentences, "the picture is as it was"])
        if not session.reads.intersection(PICTURED):
            return "; ".join([*sentences, "this network does not read the picture: it answers to the poses alone"])
        answers = [session.original, self.answers[name], self.drawn[name]]
        label, then = (self._classes(name)[answers[k].label] for k in (0, 2))
        scores = [answer.scores[answers[0].label] for answer in answers]
        steps = [f"it by {signed(step)}" if abs(step) >= UNMOVED else "nothing" for step in np.diff(scores)]
        parts = f"the poses change {steps[0]}, the picture changes {steps[1]}"
        sentences.append(f"{label} {scores[0]:.2f} → {scores[2]:.2f}: {parts}")
        if answers[0].label != answers[2].label:
            already = ", as with the poses alone" if answers[1].label == answers[2].label else ""
            sentences.append(f"the answer is now {then}{already}")
        return "; ".join([*sentences, *self._graded(name, answers[2])])

    def _classes(self, name: str) -> list[str]:
        session = self.sessions[name]
        return session.classes or [f"class {i}" for i in range(len(session.original.scores))]

    def _track(self, name: str, title: str, answer: Answer) -> Track:
        before = self.sessions[name].original
        classes = self._classes(name)
        best = list(dict.fromkeys([*np.argsort(-answer.scores)[: SHOWN - 1], before.label]))
        best = sorted(best, key=lambda label: -answer.scores[label])
        old = before.scores if self.changes else [None] * len(before.scores)
        scores = [(classes[label], answer.scores[label], old[label]) for label in best]
        maps = {"attention": where_and_when(answer.maps), "spatial": answer.maps.get("spatial")}
        temporal = {"temporal": answer.maps.get("temporal")}
        return Track(title, maps, temporal, scores=scores, note=self._note(name, answer))

    def _note(self, name: str, answer: Answer) -> str:
        sentences = [f"answered in {answer.milliseconds:.0f} ms"]
        if self.changes and answer.kept:
            sentences.append(f"ran {', '.join(answer.ran) or 'nothing'} again, kept {', '.join(answer.kept)}")
        elif self.changes:
            sentences.append("ran everything again")
        if self.changes and (unmoved := self._unmoved(name, answer)):
            sentences.insert(0, unmoved)
        sentences += self._graded(name, answer)
        if answer.untouched:
            sentences.append(f"unchanged, because only the loader can compute it: {', '.join(answer.untouched)}")
        return "; ".join(sentences)

    def _graded(self, name: str, answer: Answer) -> list[str]:
        before, after = self.sessions[name].original.grades, answer.grades
        finite = [grade for grade, value in after.items() if np.isfinite(value)]
        return [f"{grade.replace('_', ' ')} {before[grade]:.2f} → {after[grade]:.2f}" for grade in finite]

    def _unmoved(self, name: str, answer: Answer) -> str:
        """In words, where the changes move no class score by UNMOVED; "" where they do."""
        moved = float(np.abs(answer.scores - self.sessions[name].original.scores).max())
        if moved >= UNMOVED or answer.untouched:
            return ""
        changed = frozenset(kind for change in self.changes for kind in getattr(change, "of", ()))
        what = {frozenset({"pose"}): "the pose", frozenset({"video"}): "the changed picture"}.get(changed, "this")
        return f"this network does not use {what} here: no score changes by {UNMOVED} (the largest by {moved:.1g})"

    def _controls(self) -> ipywidgets.Widget:
        """What can be done besides dragging."""
        joints = self._first.skeleton.joints if self._first.skeleton is not None else ()
        wide = {"style": STYLE, "layout": ipywidgets.Layout(width="320px")}
        self.joints = ipywidgets.SelectMultiple(description="joints", options=joints, value=joints[-1:], rows=6, **wide)
        self.moves = ipywidgets.Dropdown(description="drag moves", options=WHAT_MOVES, **wide)
        self.reach = ipywidgets.FloatSlider(description="drag reaches", value=2, min=0, max=8, step=0.5, **wide)
        self.all_frames = ipywidgets.Checkbox(description="drag in all frames", value=False, **wide)
        self.sigma = ipywidgets.FloatSlider(description="jitter", value=0.03, min=0, max=0.2, step=0.01, **wide)
        self.what = ipywidgets.Dropdown(description="shuffle", options=["both", "pose", "video"], **wide)
        self.fill = ipywidgets.Dropdown(description="cover with", options=["mean", "black", "blur"], **wide)
        self.donor = ipywidgets.Dropdown(description="other clip", options=list(self.donors), **wide)
        self.follow = ipywidgets.Dropdown(description="picture follows", options=[STAYS, FOLLOWS], **wide)
        self.follow.observe(lambda _: self._try(self.changes), "value")
        offered = [self.follow] if callable(self._redraw) else [ipywidgets.HTML(html.escape(str(self._redraw)))]
        self.buttons = {
            "drop": self._button("drop joints", lambda: made.Drop(self.joints.value)),
            "freeze": self._button("freeze joints", lambda: made.Freeze(self.joints.value, self.player.frame)),
            "jitter": self._button(
                "jitter joints", lambda: made.Jitter(self.joints.value, self.sigma.value, len(self.changes))
            ),
            "mirror": self._button("mirror body", made.Mirror),
            "transplant": self._button(
                "transplant joints", lambda: made.Transplant(self.joints.value, self.donors[self.donor.value])
            ),
            "shuffle": self._button("shuffle time", lambda: made.Shuffle(self.what.value, len(self.changes))),
            "undo": ipywidgets.Button(description="undo"),
            "reset": ipywidgets.Button(description="reset"),
        }
        self.buttons["undo"].on_click(lambda _: self.undo())
        self.buttons["reset"].on_click(lambda _: self.reset())
        for name in ("drop", "freeze", "jitter", "mirror", "transplant"):
            self.buttons[name].disabled = not joints or (name == "transplant" and not self.donors)
        settings = [self.joints, self.moves, self.reach, self.all_frames, self.sigma, self.what, self.fill, self.donor]
        row = ipywidgets.Layout(flex_flow="row wrap", grid_gap="4px 12px", display="flex", max_width="1100px")
        rows = [[*settings, *offered], list(self.buttons.values())]
        return ipywidgets.VBox([ipywidgets.Box(widgets, layout=row) for widgets in rows])

    def _button(self, label: str, change: Callable[[], Change]) -> ipywidgets.Button:
        button = ipywidgets.Button(description=label)
        button.on_click(lambda _: self.apply(change()))
        return button

    def _tell(self) -> None:
        self._list.value = html.escape("; ".join(map(summary, self.changes)) or "nothing changed yet")
        self._message.value = "" if self.error is None else alert(self.error)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The explorer where somebody can use it; the player alone in a notebook that runs headless."""
        return super()._repr_mimebundle_(**kwargs) if attended() else self.player._repr_mimebundle_(**kwargs)


def signed(change: float) -> str:
    """A change of a score, with its sign and two digits that say something."""
    return ("−" if change < 0 else "+") + readable(abs(change))


def summary(change: Change) -> str:
    """A change in a few words, for people."""

    def text(value: Any) -> str:
        if isinstance(value, tuple):
            return ", ".join(map(text, value))
        return f"{value:.4g}" if isinstance(value, float) else str(value)

    facts = [text(value) for name, value in vars(change).items() if name != "donor" and value is not None]
    return " ".join([type(change).__name__.lower(), *facts])
