"""What tests share: no test imports another."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
