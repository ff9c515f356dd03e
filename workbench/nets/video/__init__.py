"""Video backbones: a clip in, a feature map [B,C,T',H',W'] out."""

from workbench.nets.video.i3d import I3D
from workbench.nets.video.i3d_nonlocal import I3DNonLocal
from workbench.nets.video.nonlocal_block import NonLocal
from workbench.nets.video.r3d50g import R3D50G
from workbench.nets.video.resnext3d import ResNeXt3D
from workbench.nets.video.s3dg import S3DG

__all__ = ["I3D", "I3DNonLocal", "NonLocal", "R3D50G", "ResNeXt3D", "S3DG"]
