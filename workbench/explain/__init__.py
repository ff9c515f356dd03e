"""Why a network said what it said: Grad-CAM, maps on frames, joints, kernels, embeddings, confusions, dynamicity.

Works on arrays, or on any system through Batch, Output and the names of its modules; nothing here draws.
"""

from workbench.extras import check

check(__name__)
