"""Das et al., "VPN: Learning Video-Pose Embedding for Activities of Daily Living" (ECCV 2020)."""
