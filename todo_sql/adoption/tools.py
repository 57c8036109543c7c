"""Every tool, and which of them a folder belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from todo_sql.adoption.query_import import QUERY_TOOLS, QueryTool
from todo_sql.adoption.revisions import Sign, Tool
from todo_sql.errors import UsageError

# One module of `readers/` each.
NAMES = (
    "alembic",
    "atlas",
    "dbmate",
    "diesel",
    "django",
    "flyway",
    "golang-migrate",
    "goose",
    "graphile-migrate",
    "liquibase",
    "node-pg-migrate",
    "prisma",
    "refinery",
    "sqitch",
    "sqlx",
    "supabase",
    "tern",
    "yoyo",
)
_OURS = Sign("[0-9]*.sql", r"\A-- From [\w-]+: ", "files that came over")
_PASSED_OVER = {"node_modules", "target", "vendor", "site-packages", "__pycache__", "build", "dist"}
_DEPTH = 5  # folders below the project that are looked into
_READ = 8  # files of a folder that are looked into
_BYTES = 20_000  # of each


@dataclass(frozen=True, slots=True)
class Recognised:
    """A folder that looks like a tool's."""

    tool: str
    folder: Path
    why: str
    sure: bool


def tool_of(name: str) -> Tool:
    """Return a tool by its name.

    Raises:
        UsageError: There is none of that name.
    """
    if name not in NAMES:
        raise UsageError(
            f"there is no importer for `{name}`",
            code="A101",
            fix=f"one of {', '.join((*NAMES, *QUERY_TOOLS))}",
        )
    found: Tool = import_module(f"todo_sql.adoption.readers.{name.replace('-', '_')}").TOOL
    return found


def recognise(root: Path) -> list[Recognised]:
    """Return the folders of other tools in a project, the surest reason first.

    Where a folder is surely one tool's, what its names alone could mean is left out.
    """
    tools: list[Tool | QueryTool] = [tool_of(name) for name in NAMES]
    tools += QUERY_TOOLS.values()
    found = []
    for folder in _folders(root, _DEPTH):
        if _shows(_OURS, folder):
            continue
        here = [one for tool in tools if (one := _recognised(tool, folder)) is not None]
        sure = [one for one in here if one.sure]
        found += sure or here
    return found


def _recognised(tool: Tool | QueryTool, folder: Path) -> Recognised | None:
    for sign in sorted(tool.signs, key=lambda one: not one.sure):
        if _shows(sign, folder) and (not sign.files.startswith("..") or _has_files(tool, folder)):
            return Recognised(tool.name, folder, sign.why, sign.sure)
    return None


def _has_files(tool: Tool | QueryTool, folder: Path) -> bool:
    """Tell whether a folder beside a tool's configuration holds files of its own, too."""
    if any(_shows(sign, folder) for sign in tool.signs if not sign.files.startswith("..")):
        return True
    return folder.name in ("migrations", "sql") and any(folder.glob("*.sql"))


def _shows(sign: Sign, folder: Path) -> bool:
    place, pattern = folder, sign.files
    while pattern.startswith("../"):
        place, pattern = place.parent, pattern[3:]
    for path in sorted(place.glob(pattern))[:_READ]:
        if sign.holds is None:
            return True
        if path.is_file():
            with path.open("rb") as file:
                text = file.read(_BYTES).decode("utf-8", "replace").removeprefix("\ufeff")
            if re.search(sign.holds, text, re.MULTILINE):
                return True
    return False


def _folders(root: Path, depth: int) -> Iterator[Path]:
    yield root
    if depth == 0:
        return
    for path in sorted(root.iterdir()):
        hidden = path.name.startswith(".") or path.name in _PASSED_OVER
        if path.is_dir() and not path.is_symlink() and not hidden:
            yield from _folders(path, depth - 1)
