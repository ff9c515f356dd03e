"""The actions of SynthADL: everyday moves, at a table, with things, on the body, with the whole body."""
