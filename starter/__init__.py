"""The program that makes the bundled model: it draws and proves theorems, has Lean run them, and trains on the steps.

It is no part of the package: `python -m starter --help`, from the root of the repository.
"""
