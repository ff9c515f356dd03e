"""Video backbones: a clip in, a feature map [B,C,T',H',W'] out."""

from workbench.nets.video.i3d import I3D

__all__ = ["I3D"]
