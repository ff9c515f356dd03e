"""Pickles of strangers: only arrays, numbers, text and the containers of Python come out, and no code of theirs runs.

A pickle is a program. Before it runs, its steps are read: every name that it wants to import has to be among the few
that arrays need, and steps that nothing here needs are refused. Arrays are then not made by numpy's own hooks, which
trust what they are given, but by stand-ins that check it.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

#: The largest pickle in circulation (2D poses of NTU RGB+D 120) is below this.
LARGEST = 4 * 1024**3

_REFUSED = {"INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID", "NEXT_BUFFER"}
_KINDS = "biuf"
_TEXT = "US"


class _Dtype:
    """Stands in for numpy.dtype."""

    def __init__(self, code: str, align: bool = False, copy: bool = True) -> None:
        if not isinstance(code, str) or code[:1] not in _KINDS + _TEXT + "O" or not code[1:].isdigit():
            raise ValueError(f"it holds an array of {code!r}; expected numbers, text or objects")
        self.dtype = np.dtype(code[:1] if code[:1] == "O" else code)

    def __setstate__(self, state: tuple) -> None:
        if state[1] not in ("<", ">", "|", "="):
            raise ValueError(f"it holds an array in byte order {state[1]!r}")
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """Stands in for numpy.ndarray while it is built."""

    def __init__(self) -> None:
        self.value = np.zeros(0)

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, data = state
        self.value = _shaped(data, dtype, shape, "F" if fortran else "C")


def _shaped(data: bytes, dtype: _Dtype, shape: tuple, order: str) -> np.ndarray:
    # The items of an array of objects come as a list; a Python scalar's shape is ().
    objects = isinstance(dtype, _Dtype) and dtype.dtype.kind == "O"
    fits = isinstance(data, list if objects else bytes | bytearray)
    if not isinstance(dtype, _Dtype) or not isinstance(shape, tuple) or not fits:
        raise ValueError("it holds an array that isn't made of numbers")
    if any(not isinstance(side, int) or side < 0 for side in shape):
        raise ValueError(f"it holds an array of shape {shape}")
    if math.prod(shape) * (1 if objects else dtype.dtype.itemsize) != len(data):
        raise ValueError(f"it holds an array of shape {shape} that has {len(data)} {'items' if objects else 'bytes'}")
    if objects:
        items = np.empty(len(data), object)
        items[:] = data
    else:
        items = np.frombuffer(data, dtype.dtype)
    return items.reshape(shape, order="F" if order == "F" else "C")


def _reconstruct(kind: type, shape: tuple, code: object) -> _Array:
    return _Array()


def _from_buffer(data: bytes, dtype: _Dtype, shape: tuple, order: str) -> _Array:
    array = _Array()
    array.value = _shaped(data, dtype, shape, order)
    return array


def _scalar(dtype: _Dtype, data: bytes) -> Any:
    return _shaped(data, dtype, (), "C").item()


def _encode(text: str, codec: str = "latin1") -> bytes:
    if codec not in ("latin1", "latin-1") or not isinstance(text, str):
        raise ValueError(f"it asks for the codec {codec!r}")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): OrderedDict,
    **{
        (f"numpy.{core}.{module}", name): factory
        for core in ("core", "_core")
        for module, name, factory in (
            ("multiarray", "_reconstruct", _reconstruct),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _from_buffer),
        )
    },
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise ValueError(f"it asks for {module}.{name}; only arrays and Python's own containers are read")
        return _ALLOWED[module, name]


def load(path: str | Path, largest: int = LARGEST) -> Any:
    """What the pickle holds. Arrays are stand-ins with a ``value``: see ``array``.

    ValueError naming the file if it is larger than ``largest`` bytes, no pickle, cut off, or holds anything else than
    arrays, numbers, text, bytes, None and the containers of Python; nothing of it has been run then.
    """
    file = Path(path)
    size = file.stat().st_size
    if size > largest:
        raise ValueError(f"{path} has {size / 1e9:.1f} GB; pickles up to {largest / 1e9:.1f} GB are read")
    data = file.read_bytes()
    try:
        _check(data)
        return _Unpickler(io.BytesIO(data)).load()
    except Exception as error:  # a pickle can fail in any way that a program can
        reason = str(error) or type(error).__name__
        raise ValueError(f"{path} can't be read as a pickle of arrays: {reason}") from None


def _check(data: bytes) -> None:
    """Reads the program without running it."""
    for steps, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if opcode.name in _REFUSED:
            raise ValueError(f"it makes objects ({opcode.name})")
        # A step that stores something in the place 4,000,000,000 makes Python take as much memory.
        puts = opcode.name in ("PUT", "BINPUT", "LONG_BINPUT")
        if puts and not (isinstance(argument, int) and 0 <= argument <= steps):
            raise ValueError(f"it stores something in place {argument}")
        if opcode.name == "GLOBAL" and tuple(str(argument).split(" ", 1)) not in _ALLOWED:
            name = str(argument).replace(" ", ".")
            raise ValueError(f"it asks for {name}; only arrays and Python's own containers are read")


def plain(value: Any) -> Any:
    """``value`` in Python's own terms: arrays as nested lists, of one item as that item's list."""
    value = value.value if isinstance(value, _Array) else value
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def plain_array(value: Any, title: str) -> np.ndarray:
    """The numbers of the array or nested list as they are; ValueError, which calls it ``title``, where it is none."""
    value = value.value if isinstance(value, _Array) else value
    try:
        values = np.asarray(value)
        if values.dtype.kind in _KINDS:
            return values
    except (ValueError, TypeError, OverflowError):
        pass
    raise ValueError(f"{title} is no array of numbers")


def array(value: Any, title: str) -> np.ndarray:
    """float64 of the array or nested list of any numbers; ValueError, which calls it ``title``, where it is none."""
    return plain_array(value, title).astype(np.float64)
