"""How well clips are classified. Arrays may be numpy or torch; results are numpy or float.

S clips, N classes: logits float [S,N], labels and predictions int [S] in [0,N).
"""

from __future__ import annotations

from typing import Any

import numpy as np


def top_k(logits: Any, labels: Any, k: int = 1) -> float:
    """Share of clips whose label is among the ``k`` highest logits.

    Of classes that tie the first in class order is ahead, as in argmax, so that constant logits do not score 1.

    Args:
        logits: float [S,N].
        labels: int [S].
        k: in [1,N].

    Returns:
        A float in [0,1].

    Raises:
        ValueError: shapes that do not match, k outside [1,N], no clip, or a logit that is NaN.
    """
    return float(hits(logits, labels, k).mean())


def hits(logits: Any, labels: Any, k: int = 1) -> np.ndarray:
    """bool [S]: which clips ``top_k`` counts; what the bootstrap resamples. Raises as ``top_k`` does."""
    logits, labels = _checked(logits, labels)
    if not 1 <= k <= logits.shape[1]:
        raise ValueError(f"k must lie between 1 and the {logits.shape[1]} classes, got {k}")
    of_label = logits[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(logits.shape[1]) < labels[:, None]
    return ((logits > of_label) | ((logits == of_label) & earlier)).sum(1) < k


def mean_class_accuracy(logits: Any, labels: Any) -> float:
    """Mean over the classes that have clips of the share of their clips predicted right.

    Args:
        logits: float [S,N].
        labels: int [S].

    Returns:
        A float in [0,1].

    Raises:
        ValueError: as ``top_k``.
    """
    logits, labels = _checked(logits, labels)
    return float(np.nanmean(per_class(logits.argmax(1), labels, logits.shape[1])))


def confusion(labels: Any, predictions: Any, n: int) -> np.ndarray:
    """How often each class is predicted as each.

    Args:
        labels: int [S], the true classes.
        predictions: int [S].
        n: N, the number of classes.

    Returns:
        int64 [N,N] counts of clips: row the true class, column the predicted one.

    Raises:
        ValueError: a class outside [0,n), or other numbers of labels than of predictions.
    """
    labels, predictions = _classes(labels, n, "label"), _classes(predictions, n, "prediction")
    if labels.shape != predictions.shape:
        raise ValueError(f"{len(labels)} labels do not go with {len(predictions)} predictions")
    return np.bincount(labels * n + predictions, minlength=n * n).reshape(n, n)


def per_class(predictions: Any, labels: Any, n: int) -> np.ndarray:
    """float64 [N] in [0,1]: the share of each class's clips predicted right, NaN for a class without clips."""
    counts = confusion(labels, predictions, n)
    clips = counts.sum(1)
    return np.divide(np.diag(counts), clips, out=np.full(n, np.nan), where=clips > 0)


def _checked(logits: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    logits = as_array(logits).astype(np.float64)
    if logits.ndim != 2 or logits.shape[0] == 0:
        raise ValueError(f"logits must be [S,N] with at least one clip, got {list(logits.shape)}")
    if np.isnan(logits).any():
        raise ValueError(f"logits of clip {int(np.isnan(logits).any(1).argmax())} contain NaN")
    labels = _classes(labels, logits.shape[1], "label")
    if len(labels) != len(logits):
        raise ValueError(f"{len(logits)} rows of logits do not go with {len(labels)} labels")
    return logits, labels


def _classes(values: Any, n: int, name: str) -> np.ndarray:
    values = as_array(values)
    if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"{name}s must be integers [S], got {values.dtype} {list(values.shape)}")
    if values.size and not (values.min() >= 0 and values.max() < n):
        raise ValueError(f"{name} {int(values.min() if values.min() < 0 else values.max())} is outside [0,{n})")
    return values.astype(np.int64)


def as_array(values: Any) -> np.ndarray:
    """numpy view of an array, list or tensor (moved to the CPU, detached)."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        return (values.float() if values.is_floating_point() else values).numpy()
    return np.asarray(values)
