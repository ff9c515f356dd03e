"""What callers give to ``build`` and to a system, checked once, where it comes in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

from workbench.types import Batch, Skeleton

#: The axes of a batch's fields; digits are fixed sizes.
AXES = {
    "video": "B 3 T H W",
    "flow": "B 2 T H W",
    "parts": "B K 3 T H W",
    "rendered": "B 3 T H W",
    "pose": "B M t_p V 3",
}


def whole(name: str, value: Any) -> int:
    """A whole number above 0."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        quoted = f", without quotes: {name}={value}" if isinstance(value, str) and value.isdecimal() else ""
        raise ValueError(f"{name} must be a whole number above 0{quoted}, got {value!r}")
    return int(value)


def positive(name: str, value: Any) -> float:
    """A finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < float("inf"):
        raise ValueError(f"{name} must be a number above 0, got {value!r}")
    return float(value)


def three(name: str, value: Any, unit: str) -> tuple[int, int, int]:
    """(T,H,W), whole numbers above 0."""
    good = isinstance(value, Iterable) and not isinstance(value, str | Mapping)
    sizes = tuple(value) if good else ()
    if len(sizes) != 3 or any(isinstance(n, bool) or not isinstance(n, Integral) or n < 1 for n in sizes):
        raise ValueError(f"{name} must be (T,H,W) in {unit}, three whole numbers such as (16, 96, 96), got {value!r}")
    t, h, w = map(int, sizes)
    return t, h, w


def schema(value: Any) -> Skeleton:
    """A skeleton by its name, or itself."""
    if not isinstance(value, Skeleton | str):
        raise ValueError(f"skeleton must be a Skeleton or its name, such as 'kinect_v2', got {value!r}")
    return value if isinstance(value, Skeleton) else Skeleton.named(value)


def channels(features: Any) -> dict[str, int] | None:
    """How many channels the features of snippets have, by modality."""
    if features is None:
        return None
    if not isinstance(features, Mapping):
        raise ValueError(f"features must name the channels of each modality, such as {{'rgb': 1024}}, got {features!r}")
    return {str(name): whole(f"features[{name!r}]", count) for name, count in features.items()}


def check_batch(system: str, batch: Any, reads: frozenset[str], skeleton: Skeleton | None) -> None:
    """ValueError where ``batch`` is none, or a field that the system ``reads`` has other axes than ``AXES``, or its
    poses another number of joints than the ``skeleton`` that it was built for (None: any)."""
    if not isinstance(batch, Batch):
        shape = f" {list(batch.shape)}" if hasattr(batch, "shape") else ""
        field = "pose" if shape and len(batch.shape) == 5 and batch.shape[-1] == 3 else "video"
        raise ValueError(
            f"{system} reads a Batch, got a {type(batch).__name__}{shape}; workbench.types.Batch({field}=...) makes one"
        )
    for name, axes in AXES.items():
        value = getattr(batch, name)
        if value is None or name not in reads:
            continue
        sizes = axes.split()
        free = name == "video" and batch.encoded
        fixed = {i: int(size) for i, size in enumerate(sizes) if size.isdigit() and not free}
        if value.dim() != len(sizes) or any(value.shape[i] != size for i, size in fixed.items()):
            raise ValueError(f"batch.{name} must be [{','.join(sizes)}], got {list(value.shape)}")
    if skeleton is not None and "pose" in reads and batch.pose is not None and batch.pose.shape[3] != skeleton.count:
        count = batch.pose.shape[3]
        fitting = [repr(name) for name in Skeleton.names() if Skeleton.named(name).count == count]
        way = f"build it with skeleton={' or '.join(fitting)}" if fitting else f"no known skeleton has {count}"
        raise ValueError(
            f"{system} was built for the {skeleton.count} joints of {skeleton.name}, batch.pose "
            f"{list(batch.pose.shape)} has {count}; {way}"
        )
