"""Plain yoyo, as its own command line runs it, in this process."""

from __future__ import annotations

import contextlib
import gc
import io
import warnings
from pathlib import Path

from yoyo.scripts.main import main


def yoyo(url: str, folder: Path, *words: str) -> str:
    """Run one of its commands on a folder and return what it prints."""
    uri = url.replace("postgresql://", "postgresql+psycopg://")
    options = ("--batch", "--no-config-file", "--database", uri)
    out = io.StringIO()
    with contextlib.redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves its connection open
        main([words[0], *options, *words[1:], str(folder)])
        gc.collect()
    return out.getvalue()
