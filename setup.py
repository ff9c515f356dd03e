"""Packages of the wheel; the rest stands in pyproject.toml.

``notebooks/`` travels as ``workbench.starter``, so that ``workbench new`` lays it out where no repository is, and the
study's numbers as ``workbench.measured``, which the notebooks show.
"""

from setuptools import find_packages, setup

BESIDE = {"workbench.starter": "notebooks", "workbench.measured": "docs/study"}

setup(
    packages=[*find_packages(include=["workbench*", "synthadl*", "safefiles*"]), *BESIDE],
    package_dir=BESIDE,
)
