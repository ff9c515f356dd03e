"""What the papers compare with: an RGB network, pose networks, and fusions of systems."""
