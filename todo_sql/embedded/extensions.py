"""Extensions that the embedded server lacks, as far as PostgreSQL itself can do their work.

The wheel of PostgreSQL 18 is built without OpenSSL and without a UUID library, so it has no
pgcrypto and no uuid-ossp, with which many a history begins. `extension/` holds stand-ins for
them: every function with its signature; those that need what PostgreSQL has not raise an error
that says so. They come last on ``extension_control_path``: an extension that is there wins.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psycopg

SINCE = 18  # the first version with extension_control_path
_STAND_INS = Path(__file__).with_name("extension")


def offer(home: Path, version: int) -> dict[str, str]:
    """Lay the stand-ins into a server's home; return the setting that lets it find them.

    Args:
        home: A folder of ours that the server's account reaches, as it may not reach the package.
        version: The server's major version.
    """
    if version < SINCE or os.pathsep in str(home):
        return {}
    folder = home / "stand-ins" / _STAND_INS.name
    shutil.rmtree(folder.parent, ignore_errors=True)
    folder.mkdir(parents=True)
    for file in _STAND_INS.iterdir():
        shutil.copyfile(file, folder / file.name)
        (folder / file.name).chmod(0o644)
    for each in (folder, folder.parent):
        each.chmod(0o755)
    return {"extension_control_path": f"$system{os.pathsep}{folder.parent}"}


def stand_ins(url: str) -> list[str]:
    """Return the extensions that a running server has stand-ins for."""
    with psycopg.connect(url, autocommit=True) as connection:
        names = connection.execute(
            "select name from pg_catalog.pg_available_extensions "
            "where pg_catalog.starts_with(comment, 'stand-in of todo-sql') "
            "order by name"
        )
        return [name for (name,) in names]
