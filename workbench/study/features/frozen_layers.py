"""What the frozen first layers of an I3D make of clips: computed once, for all runs that freeze the same ones.

A batch then goes past these layers: in the place of its video it has their output, from which the network goes on.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from safefiles import checksums
from workbench.nets import I3D
from workbench.nets.video.i3d import FIRST
from workbench.nets.video.layers import VideoBackbone
from workbench.study.features.extract import CACHE
from workbench.systems.common.base import System
from workbench.types import Batch

#: Bytes of what a process keeps; of clips beyond, it is computed each time.
LIMIT = 4_000_000_000


class FrozenLayers:
    """``FrozenLayers(...)(batch)`` is ``batch`` on ``device``, with what the first layers of ``system`` make of its
    video in the video's place, float32 [B,C,T',H',W'] (see Batch.encoded). Where these are not all ``frozen``, or its
    video networks don't share them, or compute on no processor, it is ``batch.to(device)``.

    What is made of a clip depends on its bytes alone, in evaluation mode and fp32, so that a run that is resumed goes
    on with the same numbers. What other runs wrote with ``share`` in the ``cache`` (see TrainConfig) is read.
    """

    def __init__(
        self, system: System, frozen: Sequence[str], cache: str | None, device: torch.device | str = "cpu"
    ) -> None:
        self.device, self.room = torch.device(device), LIMIT
        self._rows: dict[str, Tensor] = {}
        self._new: dict[str, Tensor] = {}
        self.network = _network(system) if set(FIRST) <= set(frozen) and self.device.type == "cpu" else None
        if self.network is not None:
            cache = CACHE if cache == "auto" else cache
            self.folder = None if cache is None else Path(cache, "layers", _digest(self.network))
            files = [] if self.folder is None else sorted(self.folder.glob("*.safetensors"))
            self._rows |= {key: row for path in files if checksums.intact(path) for key, row in load_file(path).items()}

    def __call__(self, batch: Batch) -> Batch:
        """See the class."""
        if self.network is None or batch.video is None:
            return batch.to(self.device)
        # Beside each other in channels-last order, in which convolutions are fastest.
        rows = torch.stack([self._row(clip) for clip in batch.video]).movedim(-1, 1)
        return batch.replace(video=rows, encoded=True).to(self.device)

    def share(self) -> None:
        """Writes what this process has computed to the cache, if there is one, for those that come later."""
        if self.network is None or self.folder is None or not self._new:
            return
        name = hashlib.sha256("".join(self._new).encode()).hexdigest()[:32]
        checksums.write(self.folder / f"{name}.safetensors", save(self._new))
        self._new.clear()

    def _row(self, clip: Tensor) -> Tensor:
        """[T',H',W',C] of uint8 [3,T,H,W]."""
        key = hashlib.sha256(clip.contiguous().numpy().tobytes()).hexdigest()[:32]
        if key in self._rows:
            return self._rows[key]
        assert self.network is not None
        with torch.inference_mode(False), torch.no_grad(), torch.autocast("cpu", enabled=False):
            video = Batch(video=clip[None]).to("cpu").video
            assert video is not None
            row = self.network.first_layers(video)[0].movedim(0, -1).contiguous()
        if row.nbytes <= self.room:
            self._rows[key] = self._new[key] = row
            self.room -= row.nbytes
        return row


def _network(system: nn.Module) -> I3D | None:
    """A copy of the I3D whose first layers are those of all video networks of ``system``."""
    networks = [module for module in system.modules() if isinstance(module, VideoBackbone)]
    i3ds = [network for network in networks if isinstance(network, I3D)]
    alike = len(i3ds) == len(networks) and len({_digest(network) for network in i3ds}) == 1
    return copy.deepcopy(i3ds[0]).eval().float() if alike else None


def _digest(network: I3D) -> str:
    layers = [(name, network.get_submodule(name).state_dict()) for name in FIRST]
    tensors = {f"{name}.{key}": value.contiguous() for name, state in layers for key, value in state.items()}
    return hashlib.sha256(save(tensors)).hexdigest()[:32]
