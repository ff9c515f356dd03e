"""Where an epoch stands, of whatever gives batches."""

from __future__ import annotations


class Epochs:
    """What gives the batches of one epoch after the other, and goes on where it was stopped: whoever iterates begins
    with ``self._position, self._start = self._start, 0`` and counts in ``_position``."""

    epoch = 0
    _start = _position = 0

    def set_epoch(self, epoch: int) -> None:
        """Which epoch the next iteration gives; another than the present one starts at its beginning."""
        if epoch != self.epoch:
            self.epoch, self._start, self._position = epoch, 0, 0

    def state_dict(self) -> dict[str, int]:
        """Where the epoch stands: the batches that were given so far are not given again after ``load_state_dict``."""
        return {"epoch": self.epoch, "position": self._position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Goes on where ``state_dict`` was taken."""
        self.epoch, self._start, self._position = state["epoch"], state["position"], state["position"]
