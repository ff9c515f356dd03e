"""One module a layout of files or a format: ``open`` makes a Dataset of it, ``read_skeleton`` a Pose."""
