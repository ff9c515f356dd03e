"""The actions of SynthADL-P, on which a network is pretrained: verbs with things, moves, postures."""
