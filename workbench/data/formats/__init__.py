"""Files of poses, one reader a format: path -> Pose. ``posefiles`` chooses by a file's ending."""
