"""A bidirectional LSTM over the snippets of a video."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from workbench.nets.temporal.masks import cleared, real


class BiLSTM(nn.Module):
    """Features of snippets -> what came before and what comes after them: a linear layer to ``channels``, then an LSTM
    in each direction that gives half of them. ValueError for an odd number of channels."""

    def __init__(self, in_channels: int, channels: int = 256, layers: int = 1, dropout: float = 0.5) -> None:
        super().__init__()
        if channels % 2:
            raise ValueError(f"BiLSTM: channels are shared by two directions and must be even, got {channels}")
        self.channels = channels
        self.project = nn.Linear(in_channels, channels)
        self.dropout = nn.Dropout(dropout)
        self.lstm = nn.LSTM(channels, channels // 2, layers, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """float [B,T,in_channels], mask bool [B,T] (True: a real snippet; None: all are), padding behind the real ones
        -> float [B,T,channels], zero where padded. ValueError where a real snippet follows a padded one."""
        mask = real(x, mask)
        if (mask[:, 1:] & ~mask[:, :-1]).any():
            raise ValueError("BiLSTM: padding must follow a video's snippets, but here a real snippet follows padding")
        x = self.dropout(self.project(cleared(x, mask)))
        lengths = mask.sum(1).clamp(min=1).cpu()
        # Recurrence adds up rounding: bf16 would save little time here.
        with torch.autocast(x.device.type, enabled=False):
            packed = pack_padded_sequence(x.float(), lengths, batch_first=True, enforce_sorted=False)
            x, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=mask.shape[1])
        return cleared(x, mask)
