"""Packages of the wheel; the rest stands in pyproject.toml.

``notebooks/`` travels as ``workbench.starter``, so that ``workbench new`` lays it out where no repository is.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["workbench*", "synthadl*", "safefiles*"]), "workbench.starter"],
    package_dir={"workbench.starter": "notebooks"},
)
