"""Non-local affinity: from a place and a moment, where does a self-attention block look? (VPN++ section 4.1)"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Grid = tuple[int, int, int]


def key_grid(keys: int, grid: Grid) -> Grid:
    """The grid (T', h, w) of a block's P' keys: that of its queries, or, sub-sampled, one of half as many rows and
    columns (rounded down, at least one). ValueError where P' is neither."""
    half = (grid[0], max(1, grid[1] // 2), max(1, grid[2] // 2))
    t, h, w = grid
    for candidate in ((t, h, w), half):
        if np.prod(candidate) == keys:
            return candidate
    raise ValueError(f"{keys} keys are neither the cells of {tuple(grid)} nor of {half}")


def looks(affinity: np.ndarray, grid: Grid, cell: tuple[int, int, int]) -> np.ndarray:
    """float32 [T',h,w], sum 1: the weights of the keys for the query at ``cell`` (t, row, column) of ``grid``.

    affinity is one clip's map [P,P']. ValueError for a cell outside of the grid or an affinity of another size.
    """
    if any(not 0 <= coordinate < size for coordinate, size in zip(cell, grid, strict=True)):
        raise ValueError(f"cell must lie within {tuple(grid)}, got {tuple(cell)}")
    affinity = np.asarray(affinity, np.float32)
    if affinity.ndim != 2 or len(affinity) != np.prod(grid):
        raise ValueError(f"an affinity of a grid {tuple(grid)} must be [{np.prod(grid)},P'], got {affinity.shape}")
    return affinity[np.ravel_multi_index(cell, grid)].reshape(key_grid(affinity.shape[1], grid))


def received(affinity: np.ndarray, grid: Grid) -> np.ndarray:
    """float32 [T',h,w], mean 1/P': how much each key is looked at on average, from all places and moments."""
    return np.asarray(affinity, np.float32).mean(0).reshape(key_grid(np.shape(affinity)[1], grid))


def of(maps: Mapping[str, np.ndarray]) -> tuple[np.ndarray, Grid, Grid] | None:
    """(affinity [P,P'], the grid of its queries, the grid of its keys) of one clip's maps (outputs.arrays), ready for
    ``Track.affinity``; None where the system has no non-local block."""
    affinity, features = maps.get("affinity"), maps.get("feature_map")
    if affinity is None or features is None:
        return None
    grid = tuple(features.shape[1:])
    return affinity, grid, key_grid(affinity.shape[1], grid)
