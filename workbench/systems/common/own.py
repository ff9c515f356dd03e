"""Networks of one's own: a function in a Python file that returns a module from video [B,3,T,H,W] to logits [B,N].

``path/to/mine.py:build`` names the function ``build`` of that file wherever systems are named; ``register`` gives it a
short name. It is called as ``build(num_classes)``, or as ``build(num_classes, spec=setting)`` where it has a parameter
of that name, with the sizes of the run (``building.Setting``; spec.clip is (T,H,W)). Which network a run is, the bytes
of the file say: ``digest``. What the file imports they don't.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.nearest import hint
from workbench.plain import NoLogits, Plain
from workbench.systems.common.base import Stage, System
from workbench.systems.common.building import Setting
from workbench.systems.common.registry import SYSTEMS
from workbench.types import Batch, Output

#: Files by the short names that ``register`` gave them.
REGISTERED: dict[str, str] = {}
_LOADING: set[str] = set()
_FORM = re.compile(r"(.+\.py):([A-Za-z_]\w*)")


@dataclass(frozen=True)
class NoOptions:
    """What varies is said in the file."""


class OwnNetwork(System):
    """A module of one's own, from ``file``, as a system: trained with cross-entropy, all of it, in one stage."""

    Options = NoOptions
    default_backbone = None

    def __init__(self, module: nn.Module, file: Path) -> None:
        super().__init__()
        self.backbone, self.file = Plain(module), file

    def forward(self, batch: Batch) -> Output:
        """Reads video; maps: feature_map, where a part of the module makes one, or those that the module gives."""
        video = self.take(batch, "video")
        with _speaking(self.file, f"the module, given a video {list(video.shape)},"):
            return self.backbone(video)

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy."""
        total = functional.cross_entropy(output.logits.float(), self.take(batch, "label"))
        return {"cross_entropy": total, "total": total}

    def stages(self) -> list[Stage]:
        """One stage, of all parameters."""
        return [Stage("network")]


def register(name: str, network: str | Callable[..., nn.Module]) -> None:
    """Makes a network a system that is called ``name`` in this process.

    network: "path/to/mine.py:build", or the function or class itself, which must stand at the top of a Python file: a
    run is known by the file. ValueError for a name that is taken, or a function that stands nowhere else.
    """
    if name in SYSTEMS or not name.isidentifier():
        taken = "is a system of the library" if name in SYSTEMS else "is no plain name such as my_net"
        raise ValueError(f"{name!r} {taken}; choose another name")
    if not isinstance(network, str):
        called = getattr(network, "__qualname__", "")
        file = getattr(sys.modules.get(getattr(network, "__module__", "")), "__file__", None)
        if not called.isidentifier() or file is None:
            raise ValueError(
                f"{name!r} must be a function or class at the top of a Python file, by which its runs are known, got "
                f"{network!r}: write it into mine.py, and register 'mine.py:build'"
            )
        network = f"{file}:{called}"
    digest(network)
    REGISTERED[name] = spelt(network)


def is_own(name: Any) -> bool:
    """Whether ``name`` reads FILE.py:FUNCTION, or was registered."""
    return isinstance(name, str) and (name in REGISTERED or _FORM.fullmatch(name) is not None)


def spelt(name: str) -> str:
    """The name with its absolute path; ValueError where it reads otherwise than FILE.py:FUNCTION."""
    form = _FORM.fullmatch(REGISTERED.get(name, name))
    if form is None:
        raise ValueError(f"a network of one's own is named FILE.py:FUNCTION, such as nets/mine.py:build, got {name!r}")
    return f"{Path(form[1]).expanduser().absolute()}:{form[2]}"


def short(name: str) -> str:
    """mine.py:build of any system of one's own; other names as they are."""
    return f"{_file(name).name}:{_function(name)}" if is_own(name) else name


def means(name: str, system: str) -> bool:
    """Whether a run of ``system`` is meant by ``name``: one of the same file and function, or, where there is no file
    at ``name``, one of a file of that name."""
    if _file(name).is_file() or not is_own(system):
        return spelt(name) == system
    return short(name) == short(system)


def parted(name: str) -> tuple[str, str | None]:
    """A system and the module of it in ``SYSTEM:MODULE``; None where no module is named."""
    form = re.fullmatch(r"((?:.+\.py:)?[^:]*)(?::(.*))?", name)
    assert form is not None  # it fits any text of one line
    return form[1], form[2]


def digest(name: str) -> str:
    """The SHA-256 of the file; ValueError where it can't be read."""
    return hashlib.sha256(_source(name)).hexdigest()


def load(name: str, setting: Setting, recorded: str | None = None) -> OwnNetwork:
    """The system that the network ``name`` is at the sizes of ``setting``, asked once about a video of zeros.

    recorded: the SHA-256 that the file must have; a file that has another is not run. ValueError, one sentence that
    names the file, for one that is missing or has changed, and for what it raises or returns that is no such network.
    """
    file, function, source = _file(name), _function(name), _source(name)
    now = hashlib.sha256(source).hexdigest()
    if recorded not in (None, now):
        raise ValueError(
            f"{file} has changed since the run was trained (SHA-256 {now[:8]}, on record {recorded[:8]}), and is not "
            "run: put the file back as it was, or train again"
        )
    there = vars(_executed(file, source, now))
    build = there.get(function)
    if not callable(build):
        names = [key for key, value in there.items() if getattr(value, "__module__", None) == there["__name__"]]
        near = hint(function, names)
        raise ValueError(f"{file} has no function {function!r}; it has: {', '.join(names) or 'none'}{near}")
    positional, named = _arguments(build, setting, f"{function} of {file}")
    with _speaking(file, f"{function}(num_classes={setting.num_classes})"):
        module = build(*positional, **named)
    if not isinstance(module, nn.Module) or isinstance(module, System):
        kind = type(module).__name__
        raise ValueError(f"{function} of {file} must return a torch.nn.Module that reads video, got a {kind}")
    system, video = OwnNetwork(module, file), torch.zeros(1, 3, *setting.clip)
    with torch.no_grad():
        shape = list(system.eval()(Batch(video=video)).logits.shape)
    if shape != [1, setting.num_classes]:
        raise ValueError(
            f"the module of {file} returns {shape} for a video {list(video.shape)}, expected [1, {setting.num_classes}]"
            f", a score for each of the {setting.num_classes} classes: {function} is told num_classes"
        )
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise ValueError(f"the module of {file} has no parameter to train")
    return system.train()


def _file(name: str) -> Path:
    return Path(spelt(name).rpartition(":")[0])


def _function(name: str) -> str:
    return spelt(name).rpartition(":")[2]


def _source(name: str) -> bytes:
    file = _file(name)
    try:
        return file.read_bytes()
    except OSError as problem:
        raise ValueError(
            f"{file} can't be read ({problem.strerror}): a network is made from its file; put it there, or train from "
            "where it is now"
        ) from None


def _executed(file: Path, source: bytes, sha256: str) -> ModuleType:
    """The module that the bytes ``source`` of ``file`` make, once a process."""
    name = f"{file} {sha256[:8]}"
    if name in _LOADING:
        raise ValueError(f"{file} trains or builds while it is loaded: put that below if __name__ == '__main__'")
    if name not in sys.modules:
        sys.modules[name] = module = ModuleType(name)  # dataclasses and pickle look there
        module.__file__ = str(file)
        _LOADING.add(name)
        try:
            with _speaking(file, "it"):
                exec(compile(source, str(file), "exec"), vars(module))  # the user's own file, named by the user
        except BaseException:
            del sys.modules[name]
            raise
        finally:
            _LOADING.remove(name)
    return sys.modules[name]


def _arguments(build: Callable[..., Any], setting: Setting, title: str) -> tuple[list[Any], dict[str, Any]]:
    """With what ``build`` is called: the number of classes, and the setting where it asks for it."""
    try:
        signature = inspect.signature(build)
    except (TypeError, ValueError):
        return [setting.num_classes], {}
    values = {"num_classes": setting.num_classes, "spec": setting}
    named = {name: value for name, value in values.items() if name in signature.parameters}
    positional = [] if "num_classes" in named else [setting.num_classes]
    try:
        signature.bind(*positional, **named)
    except TypeError as problem:
        raise ValueError(f"{title} must take (num_classes) or (num_classes, spec): {problem}") from None
    return positional, named


@contextmanager
def _speaking(file: Path, subject: str) -> Iterator[None]:
    """What code of ``file`` raises becomes one sentence that names it (ValueError)."""
    try:
        yield
    except NoLogits as problem:
        raise ValueError(f"{file}: {problem}") from None
    except (Exception, SystemExit) as problem:
        if isinstance(problem, MemoryError | torch.OutOfMemoryError):
            raise
        lines = [frame.lineno for frame in traceback.extract_tb(problem.__traceback__) if frame.filename == str(file)]
        line = problem.lineno if isinstance(problem, SyntaxError) else lines[-1] if lines else None
        words = " ".join(str(getattr(problem, "msg", problem)).split())[:300]
        where = file if line is None else f"{file}, line {line}"
        raise ValueError(f"{where}: {subject} raised {type(problem).__name__}: {words}") from problem
