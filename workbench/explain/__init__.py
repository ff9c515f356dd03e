"""Why a network said what it said: Grad-CAM, maps on frames, joints, kernels, embeddings, confusions, dynamicity.

Works on arrays, on any system through Batch, Output and the names of its modules, and on any module that takes a video
[B,3,T,H,W] and returns logits; nothing here draws.
"""

from workbench.extras import check

check(__name__)

from workbench.explain import embeddings, faithfulness
from workbench.explain.gradcam import gradcam as grad_cam
from workbench.explain.outputs import features

__all__ = ["embeddings", "faithfulness", "features", "grad_cam"]
