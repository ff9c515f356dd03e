"""Is somebody at the notebook?"""

from __future__ import annotations


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
