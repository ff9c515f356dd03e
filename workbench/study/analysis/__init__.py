"""Questions about finished runs: costs, joints, classes, grounding."""
