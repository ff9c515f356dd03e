"""The synthetic world SynthADL: bodies, motions, rooms, pictures and their truth."""
