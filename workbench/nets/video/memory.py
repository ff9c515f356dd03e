"""What frozen layers make of a clip, kept: a network whose first layers don't learn computes them once a clip."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import torch
from torch import Tensor


class Memory:
    """``memory(video)`` is ``layers(video)``, [B,C,T,H,W] -> [B,...], without a gradient; a clip that it has seen, to
    the bit, is not computed again. What is made of a clip depends on no other clip of its batch, so that a run that is
    resumed goes on with the same numbers. At most ``limit`` bytes are kept; clips beyond are computed each time."""

    def __init__(self, layers: Callable[[Tensor], Tensor], limit: int = 2_000_000_000) -> None:
        self.layers, self.room = layers, limit
        self._rows: dict[bytes, Tensor] = {}

    def __call__(self, video: Tensor) -> Tensor:
        """Those of each clip of ``video``, in order."""
        return torch.stack([self._of(clip) for clip in video])

    def __len__(self) -> int:
        return len(self._rows)

    def _of(self, clip: Tensor) -> Tensor:
        key = hashlib.blake2b(clip.contiguous().view(torch.uint8).numpy().tobytes(), digest_size=16).digest()
        if key in self._rows:
            return self._rows[key]
        with torch.no_grad():
            row = self.layers(clip[None])[0].contiguous()
        if row.nbytes <= self.room:
            self._rows[key], self.room = row, self.room - row.nbytes
        return row
