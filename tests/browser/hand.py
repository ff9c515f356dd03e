"""A hand for the controls of a notebook in JupyterLab, and an eye for what they change (see controls.js)."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.browser.cdp import Browser
from tests.browser.lab import NOTEBOOK, open_notebook

CONTROLS = Path(__file__).with_name("controls.js").read_text()
WIDE, TALL, PATIENCE = 1400, 1800, 30
SHIFT = 8
#: Controls that only say what the next deed does, and that deed.
DEEDS = {
    "joints": "drop joints",
    "drag moves": "shove",
    "drag reaches": "shove",
    "drag in all frames": "shove",
    "jitter": "jitter joints",
    "shuffle": "shuffle time",
    "cover with": "cover",
    "Pointer": "drag",
}
#: Buttons that need a change before they have something to take back.
AFTER = {"undo": "mirror body", "reset": "mirror body"}


class Hand:
    """Moves the controls of one notebook. A control's name says which view it is of, and its label."""

    def __init__(self, page: Browser) -> None:
        self.page = page
        page.socket.settimeout(300)  # a whole notebook is a large picture to draw without a graphics card
        page.errors.clear()
        page.requests.clear()

    def run_all(self, address: str) -> None:
        """Opens a notebook and runs it."""
        self.page.resize(WIDE, TALL)
        open_notebook(self.page, address)
        run = "jupyterapp.shell.collapseLeft(); jupyterapp.commands.execute('notebook:run-all-cells')"
        self.page.run(f"window.ran = false; {run}.then(() => (ran = true)); true")
        self.page.wait("ran", 600)
        self.page.run(f"window.hand = {CONTROLS}; true")
        self.fit()

    def fit(self) -> None:
        """Makes the window so tall that all of the notebook is in view."""
        for _ in range(2):  # in a taller window more of it is drawn
            self.page.resize(WIDE, self.ask("height"))
            self.page.wait("hand.complete()", 2 * PATIENCE)

    def leave(self) -> None:
        """Ends the kernel and leaves the page, saved, so that it does not ask back."""
        self.page.run(f"{NOTEBOOK}.sessionContext.shutdown().then(() => {NOTEBOOK}.context.save()).then(() => true)")
        self.page.open("about:blank")

    def ask(self, what: str, *given: object) -> Any:
        return self.page.run(f"hand.{what}({json.dumps(given)[1:-1]})")

    def look(self, name: str) -> int:
        """What the view of a control shows, once it has come to rest."""
        seen, end = None, time.monotonic() + PATIENCE
        while time.monotonic() < end:
            last, seen = seen, self.ask("look", name)
            if seen is not None and seen == last:
                return seen
            time.sleep(0.15)
        raise TimeoutError(f"{name}: the view did not come to rest: {self.ask('said', name)}")

    def until(self, name: str, true: Callable[[int], bool], seconds: float = PATIENCE) -> bool:
        """Does the view come to rest in a state of which this is true?"""
        end = time.monotonic() + seconds
        while not (found := true(self.look(name))) and time.monotonic() < end:
            time.sleep(0.2)
        return found

    def try_out(self, name: str, kind: str) -> str:
        """Moves a control, and moves it back; what is wrong with that, or nothing."""
        view, label = name.split(": ", 1)
        deed, button = DEEDS.get(label), kind == "button" and view.startswith("explorer")
        self.ask("rest", name)
        if label in AFTER:
            self.press(view, AFTER[label])
        before = self.look(name)
        shown = self.outcome(name, deed, before) if deed else before
        back = self.move(name, kind)
        if deed:
            after = self.look(name)
            changed = self.outcome(name, deed, after) != shown
        else:
            changed = self.until(name, lambda look: look != shown)
        back() if not button else self.press(view, AFTER.get(label, "undo"))
        returned = self.until(name, lambda look: look == before)
        if label in AFTER:
            self.press(view, "reset")
        return "" if changed and returned else f"{name}: {'does not return' if changed else 'changes nothing'}"

    def move(self, name: str, kind: str) -> Callable[[], Any]:
        """Moves a control; returns what moves it back."""
        state = self.ask("state", name)
        if kind in ("menu", "several"):
            self.ask("choose", name, [(max(state["chosen"], default=-1) + 1) % state["options"]])
            return lambda: self.ask("choose", name, state["chosen"])
        if kind == "slider":
            self.key(name, "Home" if state["last"] else "End")
            return lambda: self.ask("type", name, state["text"])
        if kind == "range":
            there, again = ("ArrowLeft", "ArrowRight") if state["last"] else ("ArrowRight", "ArrowLeft")
            self.key(name, there)
            return lambda: self.key(name, again)
        place = self.ask("place", name, 0.95 if kind == "strip" else 0.5)
        self.page.drag(place)
        if name.endswith(": Play"):
            player = f"hand.find({json.dumps(name.removesuffix('Play') + 'Frame')}).root.player"
            frame = self.page.run(f"{player}.state.frame")
            self.page.wait(f"{player}.state.frame !== {frame}", PATIENCE)
            self.page.drag(place)  # it says "Pause" now
        if kind in ("checkbox", "summary"):
            return lambda: self.page.drag(self.ask("place", name, 0.5))
        return lambda: self.ask("rest", name)

    def follow(self, i: int) -> bool:
        """Clicks on the heat map of a figure that listens; does a player open, or show another moment?"""
        self.ask("away", i)
        before, (x, y) = self.ask("answer", i), self.ask("spot", i)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
            time.sleep(0.3)  # plotly finds out what lies under the pointer before it believes in a click
        with contextlib.suppress(TimeoutError):
            self.page.wait(f"hand.answer({i}) !== {json.dumps(before)}", PATIENCE)
        self.fit()
        return self.ask("answer", i) != before

    def key(self, name: str, key: str) -> None:
        self.ask("focus", name)
        self.page.press(key)

    def press(self, view: str, label: str) -> None:
        """Presses a button, and waits for what it does."""
        name = f"{view}: {label}"
        before = self.look(name)
        self.page.drag(self.ask("place", name, 0.5))
        self.until(name, lambda look: look != before)

    def outcome(self, name: str, deed: str, before: int) -> int:
        """What the view shows after a deed, which is undone."""
        explorer = self.ask("explorer", name)
        changes = self.ask("changes", explorer)  # the notebook may have made some
        if deed == "shove":
            self.ask("point", explorer, "joint")
            for _ in range(2):
                self.page.press("ArrowRight", SHIFT)
            self.look(name)
            self.ask("seek", name, 3)  # some frames on: does the change reach as far?
        elif deed in ("drag", "cover"):
            if deed == "cover":
                self.ask("point", explorer, "cover")
            self.page.drag(*self.ask("path", explorer))
        else:
            self.page.drag(self.ask("place", f"{explorer}: {deed}", 0.5))
        self.until(name, lambda look: look != before)
        shown = self.look(name)
        while self.ask("changes", explorer) != changes:
            self.press(explorer, "undo")
        if deed == "cover":
            self.ask("point", explorer, "joint")
        self.ask("rest", name)
        return shown
