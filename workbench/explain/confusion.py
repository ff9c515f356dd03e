"""Reading a confusion matrix: the worst block (VPN fig. 9), action pairs (fig. 8c), gains over another run (fig. 7, 8)
and the dynamicity that they are plotted against (fig. 6a).

A confusion matrix holds counts [N,N]: row the true class, column the predicted one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from workbench.media import pose as bodies
from workbench.types import Pose


def rates(confusion: np.ndarray) -> np.ndarray:
    """float64 [N,N]: each row as shares of its clips, NaN in the rows of classes without a clip."""
    counts = np.asarray(confusion, np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"a confusion matrix must be [N,N], got {list(counts.shape)}")
    clips = counts.sum(1, keepdims=True)
    return np.divide(counts, clips, out=np.full_like(counts, np.nan), where=clips > 0)


def pair_scores(confusion: np.ndarray, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """float64 [P] in [0,1]: the mean misclassification score of action pairs (fig. 8c).

    That is the mean of the share of a taken for b and of b taken for a; a class without clips says nothing; NaN where
    both have none.
    """
    share = rates(confusion)
    values = np.array([(share[a, b], share[b, a]) for a, b in pairs], np.float64).reshape(-1, 2)
    finite = np.isfinite(values)
    count = finite.sum(1)
    return np.divide(np.where(finite, values, 0).sum(1), count, out=np.full(len(values), np.nan), where=count > 0)


def confused_pairs(confusion: np.ndarray, count: int = 8) -> list[tuple[int, int]]:
    """The ``count`` action pairs (a < b) with the highest ``pair_scores``, worst first; pairs that are never confused
    are left out."""
    n = len(confusion)
    pairs = [(a, b) for a in range(n) for b in range(a + 1, n)]
    scores = np.nan_to_num(pair_scores(confusion, pairs))
    return [pairs[index] for index in np.argsort(-scores, kind="stable")[:count] if scores[index] > 0]


def worst_block(confusion: np.ndarray, size: int = 6) -> list[int]:
    """``size`` classes that are confused among each other: grown from the worst pair, adding the class that is confused
    most with those already in. What fig. 9 frames in red."""
    n = len(confusion)
    if not 2 <= size <= n:
        raise ValueError(f"a block needs between 2 and {n} classes, got {size}")
    share = np.nan_to_num(rates(confusion))
    np.fill_diagonal(share, 0)
    both = share + share.T
    chosen = list(divmod(int(both.argmax()), n))
    while len(chosen) < size:
        # The tiny slope breaks ties towards classes that are confused with anything at all, then towards order.
        pull = both[:, chosen].sum(1) + 1e-6 * both.sum(1)
        pull[chosen] = -1
        chosen.append(int(pull.argmax()))
    return chosen


def gains(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """float64 [N] in [-1,1]: per-class accuracy of ``second`` minus ``first`` (confusion matrices [N,N]), NaN where a
    class has no clips in either."""
    return np.diag(rates(second)) - np.diag(rates(first))


def rival(confusion: np.ndarray, label: int) -> int:
    """The class that is confused most with class ``label``, in either direction; the next class where none is."""
    share = np.nan_to_num(rates(confusion))
    both = share[label] + share[:, label]
    both[label] = -1
    return int(both.argmax()) if both.max() > 0 else (label + 1) % len(both)


def dynamicity(poses: Iterable[Pose | None], labels: Sequence[int], classes: int) -> np.ndarray:
    """float64 [N]: how much the body moves in each action, the mean over its clips of the mean Procrustes distance
    between subsequent poses (section 4.3); NaN for a class without a clip that has two poses to compare."""
    total, count = np.zeros(classes), np.zeros(classes)
    for pose, label in zip(poses, labels, strict=True):
        if pose is None:
            continue
        distances = bodies.procrustes(pose.joints[:, :-1], pose.joints[:, 1:])
        if np.isfinite(distances).any():
            total[label] += np.nanmean(distances)
            count[label] += 1
    return np.divide(total, count, out=np.full(classes, np.nan), where=count > 0)
