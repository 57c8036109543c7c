"""How long the load tests run: short in the suite, in full with ``TODO_SQL_SOAK=full``."""

from __future__ import annotations

import os

IS_FULL = os.environ.get("TODO_SQL_SOAK") == "full"


def pick(short: float, full: float) -> float:
    """Return the figure for this run."""
    return full if IS_FULL else short
