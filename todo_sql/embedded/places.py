"""Folders of the embedded server: which may be used, by whom, and which are our own.

Root works where nobody but root can exchange what it made; nobody works behind a link. So
what is done by path here cannot be led elsewhere.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import sys
from contextlib import suppress
from pathlib import Path

from todo_sql.errors import DatabaseError

OUTSIDE = Path("/var/tmp")
LONGEST = 10_000  # characters


def is_root() -> bool:
    """Whether this process is root's."""
    return sys.platform != "win32" and os.geteuid() == 0


def short_text(path: Path) -> str:
    """Read a short file that another account may have put there: no link, no pipe, no end."""
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with os.fdopen(os.open(path, os.O_RDONLY | flags), encoding="utf-8", errors="replace") as file:
        return file.read(LONGEST)


def write_private(path: Path, text: str) -> None:
    """Write a new file that nobody else may read, in the place of an older one."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def is_roots_alone(folder: Path, links: int = 40) -> bool:
    """Whether nobody but root can put something else in the place of a folder's entries.

    Every folder and every link on the way must be root's, and others may write only where the
    sticky bit keeps them from exchanging what is not theirs. The way is read as it is written:
    where it would lead at this moment is nothing that its owner cannot change at the next.
    """
    way = folder.absolute()
    for place in (way, *way.parents):
        try:
            found = place.lstat()
            target = place.readlink() if stat.S_ISLNK(found.st_mode) else None
        except FileNotFoundError:
            continue  # made by root, below what is root's
        except OSError:
            return False  # it is being exchanged
        others = stat.S_IWOTH | (stat.S_IWGRP if found.st_gid else 0)
        exchangeable = found.st_mode & others and not found.st_mode & stat.S_ISVTX
        if found.st_uid != 0 or (exchangeable and not target):
            return False
        if target and not (links and is_roots_alone(place.parent / target, links - 1)):
            return False
    return True


def check(folder: Path) -> None:
    """Refuse a folder that is a link, another's, or for root to be exchanged by others.

    Raises:
        DatabaseError: It is; nothing was touched.
    """
    if folder.parent.is_symlink() or folder.is_symlink():
        raise DatabaseError(
            f"{folder} is reached through a link",
            code="E110",
            cause="the embedded PostgreSQL works in the project, and a link may lead anywhere",
            fix="remove the link",
        )
    if sys.platform == "win32":
        return
    if is_root() and not is_roots_alone(folder.parent):
        raise DatabaseError(
            f"{folder} lies where others than root may exchange it",
            code="E105",
            cause="root starts a server only in folders that nobody else can write to",
            fix="run the command as the user that the project belongs to, or set DATABASE_URL",
        )
    with suppress(FileNotFoundError, NotADirectoryError):
        if folder.lstat().st_uid != os.geteuid():
            raise belongs_to_another(folder)


def is_outside(text: str) -> bool:
    """Whether a path is one that `outside_of` makes."""
    return re.fullmatch(rf"{re.escape(str(OUTSIDE))}/todo-sql-[0-9a-f]{{16}}", text) is not None


def outside_of(folder: Path) -> Path:
    """Return the place outside that belongs to a folder, and to its path alone."""
    key = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return OUTSIDE / f"todo-sql-{key}"


def is_ours(folder: Path) -> bool:
    """Say whether a folder at a place that anybody can guess was made by us."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and (sys.platform == "win32" or found.st_uid == os.geteuid())


def open_to_all(folder: Path) -> None:
    """Let every account pass through a folder of our own."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise belongs_to_another(folder)
        os.fchmod(descriptor, 0o755)
    finally:
        os.close(descriptor)


def delete(path: Path) -> None:
    """Delete a folder with all that it holds, a file, or a link itself."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def ignore_by_git(folder: Path) -> None:
    """Keep git away from a folder."""
    with suppress(FileExistsError), (folder / ".gitignore").open("x", encoding="utf-8") as file:
        file.write("*\n")


def belongs_to_another(path: Path) -> DatabaseError:
    """Return the error of a path that another user made."""
    return DatabaseError(
        f"{path} belongs to another user",
        code="E105",
        cause="the embedded PostgreSQL of this project was started by that user",
        fix="run the command as that user, use your own clone, or set DATABASE_URL",
    )
