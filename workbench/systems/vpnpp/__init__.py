"""Das et al., "VPN++: Rethinking Video-Pose Embeddings for understanding Activities of Daily Living" (TPAMI 2021):
poses, or flow, distilled into an RGB network; MARS is what it compares flow with."""
