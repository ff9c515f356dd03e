"""Asking a system again: only modules whose inputs changed are run, the others answer from memory.

A what-if question changes little: another pose leaves the video's feature map as it was. Each network that a system
calls (its backbone, its pose network, every layer of its head) is a pure function in evaluation mode, so that what it
said to the same input stands. No system has to know of this, and the answer is bit for bit that of ``system(batch)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from workbench.explain.outputs import ask
from workbench.types import Batch, Output


@dataclass
class _Call:
    """One call of a module: its arguments and its output; how often each tensor had been written to by then (one
    that was since changed in place is no longer what it was); and the last question that needed it."""

    arguments: list
    output: Any
    versions: list[int]
    needed: int


class Reuse:
    """``reuse(batch)`` is the Output of ``system(batch)`` in evaluation mode, without gradients.

    keep: what none of the last ``keep`` questions needed is forgotten. ``ran`` and ``kept`` name the modules that the
    last question did and did not run again. The system must not be trained meanwhile; ``forget`` empties the memory.
    """

    def __init__(self, system: nn.Module, keep: int = 8) -> None:
        self.system, self.keep = system, keep
        self.ran: list[str] = []
        self.kept: list[str] = []
        self._memory: dict[str, list[_Call]] = {}
        self._asked = 0
        self._inside = False

    def __call__(self, batch: Batch) -> Output:
        """The system's output for ``batch``, as ``ask`` gives it."""
        self.ran, self.kept = [], []
        self._asked += 1
        with self._listening():
            output = ask(self.system, batch)
        oldest = self._asked - self.keep
        self._memory = {name: [call for call in calls if call.needed > oldest] for name, calls in self._memory.items()}
        return output

    def forget(self) -> None:
        """Drops what is kept."""
        self._memory.clear()

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Stands between the system and its modules for the time of a call. Systems inside systems read whole batches
        and are left alone: what counts is what they call."""
        heard = [(name, part) for name, part in self.system.named_modules() if name and not hasattr(part, "needs_test")]
        for name, part in heard:
            part.forward = self._remembering(name, part)
        try:
            yield
        finally:
            for _, part in heard:
                del part.forward

    def _remembering(self, name: str, module: nn.Module) -> Callable[..., Any]:
        forward = module.forward
        # An attention point that is made uniform answers otherwise to the same weights, and so does all that holds it.
        uniform = [part.uniform for part in module.modules() if hasattr(part, "uniform")]

        def remembered(*args: Any, **named: Any) -> Any:
            if self._inside:  # a part of a module that is being run
                return forward(*args, **named)
            arguments = [*args, *sorted(named.items()), *uniform]
            memory = self._memory.setdefault(name, [])
            for call in memory:
                if call.versions == _versions([call.arguments, call.output]) and _same(call.arguments, arguments):
                    call.needed = self._asked
                    self.kept.append(name)
                    return call.output
            self._inside = True
            try:
                output = forward(*args, **named)
            finally:
                self._inside = False
            self.ran.append(name)
            memory.append(_Call(arguments, output, _versions([arguments, output]), self._asked))
            return output

        return remembered


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)
    elif is_dataclass(value):
        yield from _tensors(vars(value))


def _versions(value: Any) -> list[int]:
    return [tensor._version for tensor in _tensors(value)]


def _same(first: Any, second: Any) -> bool:
    """Whether two arguments are equal in value, tensors in every bit that counts."""
    if first is second:
        return True
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        alike = (first.shape, first.dtype, first.device) == (second.shape, second.dtype, second.device)
        return alike and torch.equal(first, second)
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        return len(first) == len(second) and all(_same(*pair) for pair in zip(first, second, strict=True))
    if isinstance(first, dict) and isinstance(second, dict):
        return _same(sorted(first.items()), sorted(second.items()))
    if is_dataclass(first) and type(first) is type(second):
        return _same(vars(first), vars(second))
    return type(first) is type(second) and not isinstance(first, Tensor) and bool(first == second)
