"""Dai et al., "Learning an Augmented RGB Representation with Cross-Modal Knowledge Distillation for Action Detection"
(ICCV 2021), and the detectors that it and its teachers are."""
