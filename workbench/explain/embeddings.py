"""Features in the plane, alone or two runs laid over each other so that movement means something (VPN fig. 6b).

t-SNE and UMAP place points up to rotation, mirror image and scale. ``compare`` embeds both runs, then turns the second
onto the first with an orthogonal Procrustes fit over the clips that both know: what still moves, moved in the features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

METHODS = ("tsne", "umap", "pca")


@dataclass(frozen=True)
class Embedding:
    """points float32 [S,2], centred, root mean square distance from the centre 1; trustworthiness in [0,1]: how many of
    a point's neighbours in the plane are neighbours in feature space too (1: all)."""

    points: np.ndarray
    trustworthiness: float
    method: str


@dataclass(frozen=True)
class Comparison:
    """Two runs on the clips that both know.

    ids [S]; rows int64 [S], where they stand in the first run; first and second, embeddings in one frame; movement
    float32 [S], how far each clip moved, in units of the embeddings' spread (their root mean square distance from the
    centre).
    """

    ids: list[str]
    rows: np.ndarray
    first: Embedding
    second: Embedding
    movement: np.ndarray


def embed(features: np.ndarray, method: str = "tsne", seed: int = 0, neighbors: int | None = None) -> Embedding:
    """``features`` float [S,F] in the plane, the same for the same seed.

    neighbors: t-SNE's perplexity or UMAP's n_neighbors; None is 30 or a third of the points, whichever is smaller.
    Raises ValueError for an unknown method, fewer than 5 points, non-finite features or too many neighbours, and
    RuntimeError where UMAP is asked for and not installed.
    """
    features = np.asarray(features, np.float32)
    if method not in METHODS:
        raise ValueError(f"unknown embedding {method!r}; known: {', '.join(METHODS)}")
    if features.ndim != 2 or len(features) < 5 or not np.isfinite(features).all():
        raise ValueError(f"an embedding needs at least 5 rows of finite features [S,F], got {list(features.shape)}")
    neighbors = neighbors or max(2, min(30, (len(features) - 1) // 3))
    if neighbors >= len(features):
        raise ValueError(f"neighbors must be fewer than the {len(features)} points, got {neighbors}")
    points = _reduced(features, method, seed, neighbors)
    centred = points - points.mean(0)
    spread = np.sqrt((centred**2).sum(1).mean())
    standard = (centred / (spread if spread > 0 else 1.0)).astype(np.float32)
    return Embedding(standard, trust(features, points), method)


def trust(features: np.ndarray, points: np.ndarray) -> float:
    """Trustworthiness (Venna and Kaski 2001) of ``points`` [S,2] for ``features`` [S,F], in [0,1]."""
    from sklearn.manifold import trustworthiness

    return float(trustworthiness(features, points, n_neighbors=max(1, min(5, (len(points) - 1) // 2))))


def align(moving: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """float32 [S,2]: ``moving`` turned, mirrored and shifted onto ``fixed`` [S,2] with the least squared distance."""
    from scipy.linalg import orthogonal_procrustes

    source, target = np.asarray(moving, np.float64), np.asarray(fixed, np.float64)
    if source.shape != target.shape:
        raise ValueError(f"only embeddings of the same clips align, got {list(source.shape)} and {list(target.shape)}")
    source, centre = source - source.mean(0), target.mean(0)
    rotation, _ = orthogonal_procrustes(source, target - centre)
    return (source @ rotation + centre).astype(np.float32)


def compare(
    first: tuple[Sequence[str], np.ndarray],
    second: tuple[Sequence[str], np.ndarray],
    method: str = "tsne",
    seed: int = 0,
    neighbors: int | None = None,
) -> Comparison:
    """Embeds (ids, features [S,F]) of two runs on their common clips, the second aligned onto the first.

    The feature sizes may differ. Raises ValueError where fewer than 5 clips are common, and as ``embed``.
    """
    where = {clip: row for row, clip in enumerate(second[0])}
    ids = [clip for clip in first[0] if clip in where]
    if len(ids) < 5:
        raise ValueError(f"two runs need at least 5 common clips to be compared; these share {len(ids)}")
    common = set(ids)
    rows = [row for row, clip in enumerate(first[0]) if clip in common]
    base = embed(np.asarray(first[1])[rows], method, seed, neighbors)
    moved = embed(np.asarray(second[1])[[where[clip] for clip in ids]], method, seed, neighbors)
    moved = replace(moved, points=align(moved.points, base.points))
    return Comparison(ids, np.array(rows), base, moved, np.linalg.norm(moved.points - base.points, axis=1))


def _reduced(features: np.ndarray, method: str, seed: int, neighbors: int) -> np.ndarray:
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if method == "pca":
        return PCA(2, random_state=seed).fit_transform(features)
    if method == "tsne":
        return TSNE(2, perplexity=neighbors, init="pca", random_state=seed).fit_transform(features)
    try:
        from umap import UMAP
    except ImportError as error:
        raise RuntimeError("UMAP is not installed: pip install umap-learn, or choose method tsne or pca") from error
    # One thread: umap drops a seed's promise (and says so) when it runs on several.
    return UMAP(n_neighbors=neighbors, random_state=seed, n_jobs=1).fit_transform(features)
