"""The numbers and readings that differ between two cores and a cluster, and between a paper and what acts; never code.

Fields of ``config.Preset``.
"""

from __future__ import annotations

from typing import Any

#: Learning rates of modules, times the stage's, where attention is trained beside a pretrained backbone.
SCALE = {
    "attention": 20,
    "attention.hidden": 0.2,
    "attention.attention.hidden": 0.2,
    "attention.spatial.hidden": 0.2,
    "attention.temporal.hidden": 0.2,
    "pose_backbone": 0.2,
}
#: Readings under which a mechanism acts on the prediction, where the printed one does not (docs/mechanisms.md). Chosen
#: on validation subjects of SynthADL.
READINGS: dict[str, Any] = {
    # The average weighted by A: f + A f leaves the plain average nearly as it is, since A is at most 1 / T' on average.
    "modulation": "mean",
    # Attention reads what the pose backbone makes of the poses: a GCN that never learnt an action has nothing to say.
    "pose_first": True,
    # Without it the tanh of the attention saturates, and the map is the same for every clip.
    "normalize_pose": True,
    "p_i3d.normalize_pose": False,
    "normalize_steps": True,
    # With 0.001 the embedding drives the attention, which begins at zero, hundreds of times harder than the labels do.
    "embedding_eps": 1.0,
    # The body of P-I3D is the crop that its weights were trained on.
    "body": "crop",
    # A teacher that learns from the distillation too settles on one map for all clips, and so does its student.
    "detach_teacher": True,
    "block_gamma": 1.0,
    # At 50 distillation has 9 to 600 times the gradient of the classification.
    "vpn_f.alpha": 0.1,
    "vfn_pp.alpha": 0.1,
    "vpfn_pp.alpha": 0.1,
    "vpn_pp.alpha": 0.1,
    "vpn_a.beta": 1.0,
    "vpn_pp.beta": 1.0,
    "vpfn_pp.beta": 1.0,
}
#: For results on two CPU cores: a table with three seeds in an hour or two. Small clips, since larger ones would cost
#: ten times as much, and seeds and epochs are what small differences are lost in.
STUDY: dict[str, Any] = {
    "clip": (16, 96, 96),
    "width": 0.25,
    "output_stride": (4, 16, 16),
    "batch_size": 16,
    # Poses and cached features are small: a network of theirs takes 40 epochs in the time of one of the video's.
    "epochs": {"": 1 / 3, "pose": 4 / 3, "head": 4 / 3},
    "optimizer": {
        "": {"name": "adam", "lr": 5e-4},
        "pose": {"name": "adam", "lr": 2e-3},
        "head": {"name": "adam", "lr": 1e-3},
        # The attention's scores start from zero beside a pretrained backbone; its hidden layer saturates at that rate.
        "joint": {"name": "adam", "lr": 5e-4, "scale": SCALE},
        # The student's self-attention and its projection start from nothing beside a pretrained backbone.
        "collaboration": {"name": "adam", "lr": 5e-4, "scale": {"student.block": 10, "distillation": 10}},
    },
    "schedule": {"name": "cosine", "warmup": 3},
    "clip_grad": 5.0,
    # 250 steps are too few for batch statistics that follow by a hundredth a step.
    "options": {"bn_momentum": 0.1, "hidden": 128, "lstm_hidden": 128, **READINGS},
    "poses": 16,
    "sampling": "uniform",
    "phases": 2,
}
#: For many rows of RGB: the study, but the layers of I3D before Mixed_4b stay as they start. What they make of a clip
#: is computed once, for all rows and seeds; clips therefore come as they are. For the world's size small: of thousands
#: of clips, networks of poses and heads need fewer epochs.
FROZEN: dict[str, Any] = STUDY | {
    "epochs": {"": 1 / 3, "pose": 1 / 2, "head": 1 / 2},
    "freeze": ["Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3", "Mixed_3b", "Mixed_3c"],
    "augment": None,
}
#: For networks that read poses alone, as a Kinect gives them (docs/findings.md says what was tried).
#: The other presets train them as the parts of larger systems, which read 16 poses and have their own normalisation.
POSES: dict[str, Any] = STUDY | {
    "poses": 32,
    "phases": 8,
    "width": 0.375,
    "epochs": STUDY["epochs"] | {"pose": 8 / 5},
    "optimizer": STUDY["optimizer"] | {"pose": {"name": "adamw", "lr": 2e-3, "weight_decay": 0.01}},
    "augment": {"turn": 30.0, "tilt": 10.0, "stretch": 0.1},
    # A clip of fewer poses repeats some of them: behind zeros an LSTM has half forgotten what it saw.
    "options": STUDY["options"] | {"smoothing": 0.1, "pose_padding": "repeat", "agcn.stream": "joint+bone"},
}
#: The size of published settings.
FULL: dict[str, Any] = {
    "clip": (64, 224, 224),
    "width": 1.0,
    "output_stride": (8, 32, 32),
    "batch_size": 16,
    "poses": 20,
    "test_area": "whole",
}
#: "tiny" is for a look within minutes: the study with two thirds of the training of the video's stages, and half of
#: the validations. "paper" is
#: VPN's published setting (section 4.2: 64 frames, 4 GPUs x 4 clips; stride, windows and the regulariser of I3D's last
#: layer of thesis section 4.6.1; crops along the video of thesis section 4.2). "perf_net_paper" is PERF-Net's input
#: (section 4): 64 consecutive frames from anywhere in the video, padded by the first or last one, of pictures whose
#: shorter side is 256. Training crops 224 x 224 of the middle of the longer side; test reads one central clip of 256 x
#: 256. (There the paper reads 250 frames of Kinetics, and of HMDB-51 64, as here.)
PRESETS: dict[str, dict[str, Any]] = {
    "tiny": STUDY
    | {"epochs": STUDY["epochs"] | {"": 2 / 9}, "schedule": {"name": "cosine", "warmup": 2}, "validate_every": 2},
    "study": STUDY,
    "frozen": FROZEN,
    "paper": FULL | {"windows": "all", "crop": "track", "options": {"regularizer": 0.001}},
    "perf_net_paper": FULL | {"sampling": "consecutive", "crop": "centre", "border": 16 / 224},
    "poses": POSES,
}

#: Weights of Augmented-RGB's losses by what teaches: the best frame mAP on validation subjects of SynthADL-U version 2,
#: with two seeds (notebooks/ablations/augmented_rgb_weights.yaml). Two teachers have those of flow. The weight of the
#: other distillations, alpha_baseline, is carried over from version 1.
WEIGHTS: dict[str, dict[str, float]] = {
    "alpha_atomic": {"flow": 3e-3, "pose": 3e-3, "flow+pose": 3e-3},
    "alpha_global": {"flow": 1e-5, "pose": 1e-4, "flow+pose": 1e-5},
    "alpha_boundary": {"flow": 0.5, "pose": 0.5, "flow+pose": 0.5},
    "alpha_baseline": {"flow": 5e-3, "pose": 5e-3},
}
#: What detectors have instead: their inputs are small, and whole videos are a batch. stride is the spacing of frames
#: at which an I3D whose weights a file holds reads a snippet: the shipped one has learnt 16 frames spread over clips of
#: 106 frames, 7 apart on average.
SMALL: dict[str, Any] = {
    "batch_size": 8,
    "epochs": {"": 1 / 3},
    "optimizer": {},
    "schedule": None,
    "sampling": "strided",
    "stride": 7,
    "options": WEIGHTS,
}
#: "paper": a snippet is 16 consecutive frames (Augmented-RGB, section 3.1), and a batch 8 videos (PKU-MMD, 4.2).
DETECTION: dict[str, dict[str, Any]] = {
    "tiny": SMALL,
    "study": SMALL,
    "paper": {"batch_size": 8, "clip": (16, 224, 224), "stride": 1},
}
