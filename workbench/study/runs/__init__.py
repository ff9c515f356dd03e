"""A run is one folder: its identity, its store, the code and the machine it was made by."""
