"""Finds the packages; everything else is in pyproject.toml. `recipes/` is shipped as `seqtasks.recipes`."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["seqtasks", "seqtasks.*"]), "seqtasks.recipes"],
    package_dir={"seqtasks.recipes": "recipes"},
)
