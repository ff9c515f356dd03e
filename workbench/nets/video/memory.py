"""What frozen layers make of a clip, kept: a network whose first layers don't learn computes them once a clip."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn

from safefiles import checksums
from safefiles.locks import turn


class Memory:
    """``memory(video)`` is ``layers(video)``, [B,C,T,H,W] -> [B,...], without a gradient; a clip that it has seen, to
    the bit, is not computed again. What is made of a clip depends on no other clip of its batch, so that a run that is
    resumed goes on with the same numbers. At most ``limit`` bytes are kept; clips beyond are computed each time.

    ``folder`` has what others wrote there with ``share``: of the same layers, by their weights, in the same precision.
    """

    def __init__(self, layers: nn.Module, folder: Path | None = None, limit: int = 2_000_000_000) -> None:
        self.layers, self.folder, self.room = layers, folder, limit
        #: By the precision, which is not known before the first clip comes: rows by the digest of their clip.
        self._rows: dict[str, dict[str, Tensor]] = {}
        self._new: dict[str, dict[str, Tensor]] = {}

    def __call__(self, video: Tensor) -> Tensor:
        """Those of each clip of ``video``, in order."""
        precision = str(torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else video.dtype)
        if precision not in self._rows:
            self._rows[precision], self._new[precision] = self._shared(precision), {}
        return torch.stack([self._of(clip, precision) for clip in video])

    def __len__(self) -> int:
        return sum(len(rows) for rows in self._rows.values())

    def share(self) -> None:
        """Writes what this process has computed to the folder, if there is one, for those that come later."""
        for precision, rows in self._new.items():
            if self.folder is None or not rows:
                continue
            from safetensors.torch import save

            folder = self.folder / self._digest(precision)
            folder.mkdir(parents=True, exist_ok=True)
            with turn(folder / ".turn.lock"):
                name = f"{len(list(folder.glob('*.safetensors')))}.safetensors"
                checksums.write(folder / name, save(rows))
            rows.clear()

    def _of(self, clip: Tensor, precision: str) -> Tensor:
        key, rows = _digest(_bytes(clip)), self._rows[precision]
        if key in rows:
            return rows[key]
        with torch.no_grad():
            row = self.layers(clip[None])[0].contiguous()
        if row.nbytes <= self.room:
            rows[key], self._new[precision][key], self.room = row, row, self.room - row.nbytes
        return row

    def _shared(self, precision: str) -> dict[str, Tensor]:
        from safetensors.torch import load_file

        files = [] if self.folder is None else sorted((self.folder / self._digest(precision)).glob("*.safetensors"))
        return {key: row for path in files if checksums.intact(path) for key, row in load_file(path).items()}

    def _digest(self, precision: str) -> str:
        state = b"".join(name.encode() + _bytes(value[None]) for name, value in self.layers.state_dict().items())
        return f"{_digest(state)}-{precision.removeprefix('torch.')}"


def _bytes(clip: Tensor) -> bytes:
    """Its numbers, [C,...], in that order or, where they lie so in memory, channels last."""
    plain = clip if clip.is_contiguous() else clip.movedim(0, -1)
    return plain.contiguous().view(torch.uint8).numpy().tobytes()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
