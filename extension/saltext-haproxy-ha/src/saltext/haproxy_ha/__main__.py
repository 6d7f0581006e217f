"""Prints the directory to name in ``file_roots``."""

from . import FORMULA

print(FORMULA)
