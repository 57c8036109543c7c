"""Extensions that the embedded server lacks, as far as PostgreSQL itself can do their work.

The wheel of PostgreSQL 18 is built without OpenSSL and without a UUID library, so it has no
pgcrypto and no uuid-ossp, with which many a history begins. `extension/` holds stand-ins for
them: every function with its signature; those that need what PostgreSQL has not raise an error
that says so. They come last on ``extension_control_path``: an extension that is there wins.

Scratch databases are migrated by an owner that is no superuser, who may make trusted extensions
only. So what of contrib leads out of no database is trusted here, by a second control file that
comes first on the path. What reaches files or other servers is not.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psycopg

SINCE = 18  # the first version with extension_control_path
_STAND_INS = Path(__file__).with_name("extension")
_TRUSTED = (
    *("amcheck", "autoinc", "bloom", "earthdistance", "insert_username", "intagg", "moddatetime"),
    *("pg_buffercache", "pg_freespacemap", "pg_stat_statements", "pg_visibility", "pgrowlocks"),
    *("pgstattuple", "refint", "vector"),
)


def offer(home: Path, version: int, programs: Path) -> dict[str, str]:
    """Lay extensions into a server's home; return the setting that lets it find them.

    Args:
        home: A folder of ours that the server's account reaches, as it may not reach the package.
        version: The server's major version.
        programs: The folder of PostgreSQL's programs, beside what they share.
    """
    if version < SINCE or os.pathsep in str(home):
        return {}
    ours = home / "extensions"
    shutil.rmtree(ours, ignore_errors=True)
    for file in _STAND_INS.iterdir():
        _lay(ours / "stand-ins", file.name, file.read_text(encoding="utf-8"))
    shared = programs.parent / "share" / "extension"
    for name in _TRUSTED:
        control = shared / f"{name}.control"
        if control.is_file() and "'" not in str(shared):
            text = control.read_text(encoding="utf-8")
            _lay(
                ours / "trusted", control.name, f"{text}\ntrusted = true\ndirectory = '{shared}'\n"
            )
    path = (str(ours / "trusted"), "$system", str(ours / "stand-ins"))
    return {"extension_control_path": os.pathsep.join(path)}


def _lay(folder: Path, name: str, text: str) -> None:
    """Write a file of an extension where PostgreSQL looks for it, for its account to read."""
    inner = folder / "extension"
    inner.mkdir(parents=True, exist_ok=True)
    for each in (folder.parent, folder, inner):
        each.chmod(0o755)
    (inner / name).write_text(text, encoding="utf-8")
    (inner / name).chmod(0o644)


def stand_ins(url: str) -> list[str]:
    """Return the extensions that a running server has stand-ins for."""
    with psycopg.connect(url, autocommit=True) as connection:
        names = connection.execute(
            "select name from pg_catalog.pg_available_extensions "
            "where pg_catalog.starts_with(comment, 'stand-in of todo-sql') "
            "order by name"
        )
        return [name for (name,) in names]
