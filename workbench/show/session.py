"""Is somebody at the notebook? Widgets that are there for a person only."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipywidgets import Widget
else:
    Widget = object  # Live stands before a widget among the bases of a class


def attended() -> bool:
    """True where a front end runs the cell by hand (JupyterLab, VS Code); False under papermill or in plain Python.

    The difference is stated by the execute request itself: only a front end with a person behind it allows ``input()``.
    Other requests (a slider that moved) come from a front end by their nature.
    """
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return False
    return bool(kernel.get_parent().get("content", {}).get("allow_stdin", True))


def pictured() -> bool:
    """Whether figures are kept as pictures too, for viewers that can't draw them: in a notebook that runs headless,
    unless WORKBENCH_PICTURES is 0, as it is where the gallery draws them itself."""
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    return kernel is not None and not attended() and os.environ.get("WORKBENCH_PICTURES") != "0"


class Live(Widget):
    """A widget that a front end hears of where somebody is there, or where another widget holds it: an executed
    notebook would otherwise keep all of it a second time, beside what it shows."""

    def open(self) -> None:
        """Begins to talk to the front end, where somebody is at it."""
        if attended():
            super().open()

    @property
    def model_id(self) -> str:
        """The widget's name in the front end."""
        if self.comm is None:
            super().open()
        return super().model_id
