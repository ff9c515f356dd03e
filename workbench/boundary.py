"""Where a command ends: what went wrong outside of the workbench is one sentence, a fault of its own is a traceback."""

from __future__ import annotations

import dis
import errno
import sys
from collections.abc import Callable
from typing import TextIO

from safefiles.reading import reason

#: Exit codes: what was given can't be done; the command was typed wrongly; Ctrl-C.
FAILED, USAGE, STOPPED = 1, 2, 130
OURS = ("workbench", "synthadl", "safefiles")
#: What our own code raises to tell a reader something.
SAID = (ValueError, RuntimeError, ImportError, LookupError)
#: Libraries whose own errors are about a file, a database or a kernel.
LIBRARIES = {
    *("zipfile", "zlib", "lzma", "_lzma", "tarfile", "yaml", "json", "csv", "_csv", "pickle", "_pickle", "pandas"),
    *("sqlite3", "sqlalchemy", "mlflow", "alembic", "pyarrow", "safetensors", "safetensors_rust", "av"),
    *("nbformat", "jsonschema", "nbclient", "papermill", "jupyter_client"),
}
FULL = (errno.ENOSPC, errno.EDQUOT)
ROOM = "free some space, then start the same command again: what is finished is kept"


_noted: set[str] = set()


class Usage(ValueError):
    """A command that was typed wrongly."""


def run(command: Callable[[], int | None]) -> int:
    """The exit code of ``command``; what it raises is told in one sentence, where it is no fault of the workbench."""
    try:
        return command() or 0
    except KeyboardInterrupt:
        # The terminal has written ^C where the bar stands.
        line = "\n" if sys.stderr.isatty() else ""
        print(f"{line}workbench: stopped; what is finished is kept, the same command goes on", file=sys.stderr)
        return STOPPED
    except Exception as problem:
        words = sentence(problem)
        if words is None:
            raise
        print(f"workbench: {words}", file=sys.stderr)
        return USAGE if isinstance(problem, Usage) else FAILED


def note(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """In place of ``warnings.showwarning``: one line, said once, however often and wherever it is found."""
    text = f"note: {' '.join(str(message).split())}"
    if text not in _noted:
        _noted.add(text)
        print(text, file=sys.stderr)


def sentence(problem: Exception) -> str | None:
    """What ``problem`` says to whoever typed the command; None where it is a fault of the workbench.

    Ours are those that our code raised by a ``raise``, the disk's, and those of libraries that read files. An error
    that a library raised since it was called wrongly, or that an expression of ours came to, is a fault.
    """
    full = getattr(problem, "errno", None) in FULL or "disk is full" in str(problem)
    if isinstance(problem, OSError):
        words = _of_system(problem)
    elif isinstance(problem, SAID) and not isinstance(problem, NotImplementedError) and _raised_by_us(problem):
        words = str(problem.args[0]) if isinstance(problem, LookupError) and problem.args else str(problem)
    elif isinstance(problem, ModuleNotFoundError) and (problem.name or "").partition(".")[0] not in OURS:
        words = f"{problem}; pip install 'video-pose-workbench[notebooks,batch,store]' brings what commands need"
    elif isinstance(problem, MemoryError) or type(problem).__name__ == "OutOfMemoryError":
        words = f"there is not enough memory ({reason(problem)}); a smaller batch_size, preset or --limit needs less"
    elif isinstance(problem, UnicodeError) or _modules(problem) & LIBRARIES:
        words = f"{type(problem).__name__}: {reason(problem)}"
    else:
        return None
    return f"{words}; {ROOM}" if full and "free some space" not in words else words


def _of_system(problem: OSError) -> str:
    if problem.filename is None or problem.strerror is None:
        return problem.strerror or str(problem) or type(problem).__name__
    names = filter(None, (problem.filename, problem.filename2))
    return f"{' -> '.join(map(str, names))}: {problem.strerror}"


def _modules(problem: Exception) -> set[str]:
    return {kind.__module__.partition(".")[0] for kind in type(problem).__mro__}


def _raised_by_us(problem: Exception) -> bool:
    """Whether it comes from a ``raise`` in our own code."""
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    package = (trace.tb_frame.f_globals.get("__package__") or "").partition(".")[0]
    return package in OURS and dis.opname[trace.tb_frame.f_code.co_code[trace.tb_lasti]] == "RAISE_VARARGS"
