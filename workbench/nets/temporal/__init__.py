"""Networks over the snippets of a video; all map features [B,T,in_channels] and a mask [B,T] to [B,T,channels]."""

from workbench.nets.temporal.lstm import BiLSTM
from workbench.nets.temporal.sstcn import SSTCN
from workbench.nets.temporal.tgm import TGM, GaussianMixtures

__all__ = ["SSTCN", "TGM", "BiLSTM", "GaussianMixtures"]
