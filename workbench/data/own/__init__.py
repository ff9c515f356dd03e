"""Data of one's own: a table of clips (manifest), shards of any data set, a pickle of MMAction2 or PySKL."""
