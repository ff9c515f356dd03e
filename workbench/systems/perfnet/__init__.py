"""Li et al., "PERF-Net: Pose Empowered RGB-Flow Net" (WACV 2022): streams of RGB, flow and drawn poses, and the RGB
student that learns from them."""
