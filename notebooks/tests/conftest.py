"""Tests import the notebooks' modules from the folder above, as notebooks do from their own."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
