"""What an experiment is: typed configuration, presets, the clips it asks for."""
