"""Bodies: their measures and clothes, the mathematics of moving, and what a performance hands to the picture side."""
