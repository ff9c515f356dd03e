"""Public checkpoints whose modules have other names than the workbench's: theirs -> ours.

PyTorch I3D (piergiaj), S3D (kylemin), 3D ResNeXt (kenshohara), 2s-AGCN (lshiwjx) and the non-local block (AlexHex7)
need no table: their names are the workbench's.
"""

from __future__ import annotations

# Where the inception blocks of S3D are in its ``base``.
BLOCKS = {"3b": 5, "3c": 6, "4b": 8, "4c": 9, "4d": 10, "4e": 11, "4f": 12, "5b": 14, "5c": 15}


def torchvision_s3d() -> dict[str, str]:
    """torchvision's S3D: sequences of convolution and batch norm, two of them for a separated convolution."""
    plain = {"0": "conv", "1": "bn"}
    separated = {"0.0": "conv_s", "0.1": "bn_s", "1.0": "conv_t", "1.1": "bn_t"}
    units = {"0": separated, "2": plain, "3": separated}
    for block in BLOCKS.values():
        units[f"{block}.branch0"] = {old: f"0.{new}" for old, new in plain.items()}
        for branch in ("branch1", "branch2"):
            units[f"{block}.{branch}.0"], units[f"{block}.{branch}.1"] = plain, separated
        units[f"{block}.branch3.1"] = plain
    names = {
        f"features.{unit}.{old}": f"base.{unit}.{new}" for unit, kind in units.items() for old, new in kind.items()
    }
    return {**names, "classifier.1": "fc.0"}


def howto100m_s3dg() -> dict[str, str]:
    """The S3D-G of HowTo100M (antoine77340), its text module and its projection ``fc`` aside."""
    plain = {"conv1": "conv", "bn1": "bn"}
    separated = {"conv1": "conv_s", "bn1": "bn_s", "conv2": "conv_t", "bn2": "bn_t"}
    units = {"conv1": ("0", plain), "conv_2b": ("2", plain), "conv_2c": ("3", separated)}
    names = {"gating.fc": "base.3.gating.fc"}
    for name, block in BLOCKS.items():
        for old, new, kind in [
            ("b0", "branch0.0", plain),
            ("b1_a", "branch1.0", plain),
            ("b1_b", "branch1.1", separated),
            ("b2_a", "branch2.0", plain),
            ("b2_b", "branch2.1", separated),
            ("b3_b", "branch3.1", plain),
        ]:
            units[f"mixed_{name}.conv_{old}"] = (f"{block}.{new}", kind)
        names |= {f"mixed_{name}.gating_b{branch}.fc": f"base.{block}.gating.{branch}.fc" for branch in range(4)}
    return names | {
        f"{theirs}.{old}": f"base.{ours}.{new}" for theirs, (ours, kind) in units.items() for old, new in kind.items()
    }


LAYOUTS = {"torchvision's S3D": torchvision_s3d(), "HowTo100M's S3D-G": howto100m_s3dg()}
