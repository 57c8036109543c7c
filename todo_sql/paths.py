"""Paths that somebody else may have made."""

from __future__ import annotations

import os
from pathlib import Path


def real_path(path: str | Path) -> Path:
    """Return where a path leads to, absolute; as it is written from where it leads nowhere.

    `Path.resolve` raises RuntimeError on links in a circle before Python 3.13, and OSError on a
    name that is too long.
    """
    return Path(os.path.realpath(path))
