"""A student's function beside the library's, on inputs that are drawn from a seed."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import numpy as np
import torch

from workbench.lessons.feedback import Feedback
from workbench.lessons.tasks import TASKS, Task
from workbench.nearest import hint as nearest

EMPTY = "it returns None: either it is not filled in yet, or its last line lacks `return`"


class _NotAnArray(TypeError):
    """What a function returned is no array."""


def check(name: str, function: Callable[..., Any], seed: int = 0) -> Feedback:
    """Holds ``function`` against the library's own on seeded inputs, and says what is right and what to look at first.

    Args:
        name: a name of TASKS, such as "modulation".
        function: what the student wrote; takes the task's inputs (torch tensors, or arrays and numbers where the task
            is a drawing) and returns a torch tensor, a numpy array, or numbers.
        seed: of the inputs.

    Returns:
        Feedback; its ``function`` is what the lab goes on with.

    Raises:
        ValueError: a name that is no task's.
    """
    if name not in TASKS:
        raise ValueError(f"no task is called {name!r}; the tasks: {', '.join(TASKS)}{nearest(name, TASKS)}")
    task = TASKS[name]
    right: list[tuple[str, str]] = []
    wrong = _called_wrongly(task, function) or next(_faults(task, function, seed, right), None)
    if wrong is None:
        notes = list(right)
        if task.trains and not _keeps_gradients(task, function, seed):
            notes.append(("note", "it returns no torch tensor with a gradient; to train, the lab uses the library's"))
            return Feedback(f"{name}: right.", True, tuple(notes), task.library)
        return Feedback(f"{name}: right, the same as {task.shown}.", True, tuple(notes), _as_library(task, function))
    going_on = ("for now", f"the cells below use {task.shown} in the place of your function")
    return Feedback(f"{name}: not yet.", False, (*right, *wrong, going_on), task.library)


def _called_wrongly(task: Task, function: Any) -> list[tuple[str, str]] | None:
    takes = f"a function that takes {', '.join(task.takes)}"
    if not callable(function):
        got = f"a {type(function).__name__}"
        return [("wrong", f"this is {got}; hand over {takes}, by its name and without parentheses")]
    try:
        inspect.signature(function).bind(*task.takes)
    except ValueError:  # a built-in function, which doesn't say what it takes
        return None
    except TypeError:
        names = ", ".join(inspect.signature(function).parameters) or "nothing"
        return [("wrong", f"it takes {names}; the task needs {takes}, in this order")]
    return None


def _faults(
    task: Task, function: Callable[..., Any], seed: int, right: list[tuple[str, str]]
) -> Iterator[list[tuple[str, str]]]:
    """What is wrong on each kind of input; what is right goes to ``right``."""
    for what, arguments in task.cases(seed).items():
        copies = _copies(arguments)
        try:
            returned = function(*copies)
        except Exception as problem:  # a student's function may raise anything
            yield _raised(task, function, problem, what)
            return
        fault = _changed(task, arguments, copies, what) or _different(task, arguments, returned, what)
        if fault:
            yield fault
            return
        right.append(("right", f"on {what}"))


def _raised(task: Task, function: Callable[..., Any], problem: Exception, what: str) -> list[tuple[str, str]]:
    where, trace = "", problem.__traceback__
    file = getattr(getattr(inspect.unwrap(function), "__code__", None), "co_filename", None)
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = linecache.getline(file, trace.tb_lineno).strip()
            where = f", in its line `{line}`" if line else ""
        trace = trace.tb_next
    text = " ".join(str(problem).split())
    hints = [("hint", hint) for part, hint in task.said.items() if part in text]
    return [("wrong", f"on {what} it stops with {type(problem).__name__}{where}: {text}"), *hints[:1]]


def _changed(task: Task, arguments: tuple, copies: tuple, what: str) -> list[tuple[str, str]] | None:
    for name, before, after in zip(task.takes, arguments, copies, strict=True):
        if isinstance(before, np.ndarray | torch.Tensor) and not np.array_equal(
            np.asarray(before), np.asarray(after), equal_nan=np.asarray(before).dtype.kind == "f"
        ):
            fault = f"on {what} it changes its input {name}, which the caller still needs"
            return [("wrong", fault), ("hint", "work on a copy: `.clone()` of a tensor, `.copy()` of an array")]
    return None


def _different(task: Task, arguments: tuple, returned: Any, what: str) -> list[tuple[str, str]] | None:
    """What is wrong with an answer; None where it is the library's."""
    wanted = _parts(task.library(*_copies(arguments)))
    if returned is None or returned is Ellipsis:
        return [("wrong", EMPTY)]
    if task.parts > 1 and not (isinstance(returned, tuple | list) and len(returned) == task.parts):
        got = f"a {type(returned).__name__}"
        return [("wrong", f"it returns {got}; {task.parts} results are needed: {' and '.join(task.returns)}")]
    try:
        answers = _parts(returned) if task.parts > 1 else [_array(returned)]
    except _NotAnArray as problem:
        return [("wrong", f"on {what} it returns {problem}; needed is {' and '.join(task.returns)}")]
    pairs = zip(answers, wanted, strict=True)
    if any((answer.dtype.kind == "U") != (right.dtype.kind == "U") for answer, right in pairs):
        kinds = ("words", "numbers") if answers[0].dtype.kind == "U" else ("numbers", "words")
        return [("wrong", f"on {what} it returns {kinds[0]}; needed are {kinds[1]}: {' and '.join(task.returns)}")]
    shapes = [answer.shape for answer in answers], [right.shape for right in wanted]
    fits = shapes[0] == shapes[1]
    away = task.distance(answers, wanted, arguments) if fits else np.inf
    # Pictures are rough: one that is much nearer to a mistake's is that mistake.
    hints = _hints(task, arguments, answers, away / 2 if task.picture else away)
    if away <= task.tolerance and not _finite_lost(answers, wanted) and not (task.picture and hints):
        return None
    if not fits:
        which = next(i for i, (got, need) in enumerate(zip(*shapes, strict=True)) if got != need)
        shape, needed = (list(side[which]) for side in shapes)
        fault = f"on {what} it returns the shape {shape}; needed is {needed}, {task.returns[which]}"
        return [("wrong", fault), *(hints or _about_shape(shapes[0][which], shapes[1][which]))]
    if _finite_lost(answers, wanted):
        fault = f"on {what} it returns numbers that are not finite (nan or inf)"
        return [("wrong", fault), *(hints or [("hint", task.infinite)] * bool(task.infinite))]
    return [
        ("wrong", f"on {what} {_first_difference(task, answers, wanted)}"),
        *(hints or _about_values(answers, wanted)),
    ]


def _hints(task: Task, arguments: tuple, answers: list[np.ndarray], away: float) -> list[tuple[str, str]]:
    """The hint of the usual mistake whose result is nearest to the answer, and nearer than the right one."""
    found = []
    for hint, mistake in task.mistakes.items():
        try:
            result = _parts(mistake(*_copies(arguments)))
        except RuntimeError:  # a mistake that shows on inputs of other shapes
            continue
        finite = all(part.dtype.kind != "f" or np.isfinite(part).all() for part in result)
        same = [part.shape for part in result] == [answer.shape for answer in answers]
        if same and finite and not _finite_lost(answers, result):
            found.append((task.distance(answers, result, arguments), hint))
    distance, hint = min(found, default=(np.inf, ""))
    return [("hint", hint)] if distance <= task.tolerance and distance < away else []


def _first_difference(task: Task, answers: list[np.ndarray], wanted: list[np.ndarray]) -> str:
    which = next((i for i in range(len(wanted)) if not _near(answers[i], wanted[i])), 0)
    answer, right = answers[which], wanted[which]
    of = f" ({task.returns[which]})" if task.parts > 1 else ""
    if task.picture:
        return "the picture differs from the library's"
    if answer.dtype.kind == "U":
        place = tuple(int(i) for i in np.argwhere(answer != right)[0])
        return f"place {place[0]} is {answer[place]!r}; the library says {right[place]!r}"
    if not answer.shape:
        return f"it returns {float(answer):.6g}; the library says {float(right):.6g}"
    gap = np.abs(answer.astype(float) - right)
    place = tuple(int(i) for i in np.unravel_index(np.nanargmax(gap), gap.shape))
    return f"{of.strip()} place {list(place)} is {answer[place]:.6g}; the library says {right[place]:.6g}".strip()


def _about_shape(got: tuple, need: tuple) -> list[tuple[str, str]]:
    if sorted(got) == sorted(need):
        return [("hint", "the axes are there, in another order")]
    if len(got) < len(need):
        return [("hint", "an axis is missing: a sum or a mean went over too many axes, or an axis was not added")]
    if len(got) > len(need):
        return [("hint", "there is an axis too many: a sum or a mean over it is missing, or it was added twice")]
    return [
        ("hint", "an axis has another length: did it come from another input, or from a number that is written in?")
    ]


def _about_values(answers: list[np.ndarray], wanted: list[np.ndarray]) -> list[tuple[str, str]]:
    """What all numbers have in common."""
    if any(one.dtype.kind == "U" for one in wanted):
        return []
    answer, right = (np.concatenate([one.astype(float).ravel() for one in side]) for side in (answers, wanted))
    if _near(answer, -right):
        return [("hint", "the sign is the other way round")]
    large = np.abs(right) > 1e-3 * np.abs(right).max(initial=1e-12)
    factors = answer[large] / right[large]
    if (
        len(factors)
        and _near(factors, np.full_like(factors, factors[0]))
        and np.allclose(answer, factors[0] * right, atol=1e-5)
    ):
        return [("hint", f"it is {factors[0]:.4g} times the right answer everywhere: a scale is wrong")]
    return []


def _finite_lost(answers: list[np.ndarray], wanted: list[np.ndarray]) -> bool:
    """Whether an answer isn't finite where it should be."""
    pairs = [(answer, right) for answer, right in zip(answers, wanted, strict=True) if answer.dtype.kind == "f"]
    return any(a.shape == right.shape and not np.isfinite(a[np.isfinite(right)]).all() for a, right in pairs)


def _near(answer: np.ndarray, right: np.ndarray) -> bool:
    if answer.shape != right.shape:
        return False
    if right.dtype.kind == "U" or answer.dtype.kind == "U":
        return bool((answer == right).all())
    return bool(np.allclose(answer.astype(float), right.astype(float), rtol=1e-4, atol=1e-5, equal_nan=True))


def _parts(value: Any) -> list[np.ndarray]:
    return [_array(part) for part in value] if isinstance(value, tuple) else [_array(value)]


def _array(value: Any) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return (value.float() if value.is_floating_point() else value).numpy()
    try:
        array = np.asarray([_array(part) for part in value] if isinstance(value, list | tuple) else value)
    except ValueError:
        raise _NotAnArray("a list whose parts differ in length") from None
    if array.dtype.kind not in "biufU":
        raise _NotAnArray(f"a {type(value).__name__}")
    return array


def _copies(arguments: tuple) -> tuple:
    return tuple(
        value.clone() if isinstance(value, torch.Tensor) else value.copy() if isinstance(value, np.ndarray) else value
        for value in arguments
    )


def _keeps_gradients(task: Task, function: Callable[..., Any], seed: int) -> bool:
    arguments = _copies(next(iter(task.cases(seed).values())))
    for value in arguments:
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            value.requires_grad_()
    try:
        returned = function(*arguments)
    except Exception:  # such as .numpy() of what has a gradient
        return False
    return isinstance(returned, torch.Tensor) and returned.requires_grad


def _as_library(task: Task, function: Callable[..., Any]) -> Callable[..., Any]:
    """The student's function, whose numpy answer becomes a tensor where the library's is one."""
    if task.picture or task.plain:
        return function

    def tensor(value: Any) -> torch.Tensor:
        return value if isinstance(value, torch.Tensor) else torch.as_tensor(np.asarray(value), dtype=torch.float32)

    @wraps(function)
    def answer(*arguments: Any) -> Any:
        returned = function(*arguments)
        return tuple(map(tensor, returned)) if task.parts > 1 else tensor(returned)

    return answer
