"""What actions are written with: where a clip takes place, the things, the score, and the rig that plays it."""
