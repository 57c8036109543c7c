"""The pair of files that a new migration begins with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from todo_sql import writing

# A file that holds this and no statement has not been written yet.
UNWRITTEN = "-- Replace this line by the SQL."

_FORWARD = """\
-- Why: {description}.
-- The file is one transaction. Directives go here: depends, transactional, irreversible,
-- lock-timeout, max-lock-hold, statement-timeout, allow.

"""

_ROLLBACK = """\
-- Undoes {id}.

"""


def write_pair(
    folder: Path,
    description: str,
    within: Path,
    bodies: tuple[str, str] = (UNWRITTEN, UNWRITTEN),
) -> tuple[Path, Path]:
    """Write both files with a version after every other of the folder.

    Args:
        folder: Of the migrations; made if it does not exist.
        description: Words joined by underscores.
        within: The project, which nothing is written outside of.
        bodies: The statements of both; default: a line that asks for them.

    Returns:
        The paths of the migration and of its rollback file.
    """
    id = f"{_next_version(folder)}_{description}"
    forward, rollback = folder / f"{id}.sql", folder / f"{id}.rollback.sql"
    words = description.replace("_", " ")
    with writing.folder(folder, within) as place:
        place.write(forward.name, _FORWARD.format(description=words) + bodies[0] + "\n")
        place.write(rollback.name, _ROLLBACK.format(id=id) + bodies[1] + "\n")
    return forward, rollback


def _next_version(folder: Path) -> str:
    """Return the present as a version, or one second after the newest that is later."""
    versions = (path.name[:14] for path in folder.glob("*.sql"))
    newest = max(filter(str.isdigit, versions), default="")
    version = f"{datetime.now(UTC):%Y%m%d%H%M%S}"
    if newest < version:
        return version
    try:
        later = datetime.strptime(newest, "%Y%m%d%H%M%S") + timedelta(seconds=1)
    except ValueError:
        return f"{int(newest) + 1:014}"
    return f"{later:%Y%m%d%H%M%S}"
