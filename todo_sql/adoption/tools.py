"""Every tool, and which of them a folder belongs to."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from todo_sql.adoption.old_ledger import OldLedger, same_key
from todo_sql.adoption.revisions import Asked, History, Revision
from todo_sql.errors import UsageError


@dataclass(frozen=True, slots=True)
class Sign:
    """What tells that a folder is a tool's.

    Attributes:
        files: Pattern of the files in it, as of `Path.glob`.
        why: What is said when it is found.
        holds: What one of the first must hold, or None: the names tell.
        sure: Whether no other tool's folder looks so.
        named: What the files' names begin with, as of `re.match`.
    """

    files: str
    why: str
    holds: str | None = None
    sure: bool = True
    named: str = ""


@dataclass(frozen=True, slots=True)
class KnownTool:
    """Another tool, as `tools.toml` says.

    Attributes:
        name: As of `todo-sql import NAME`.
        title: Its own name.
        signs: What tells its folder; any of them does.
    """

    name: str
    title: str
    signs: tuple[Sign, ...]


@dataclass(frozen=True, slots=True)
class Tool(KnownTool):
    """A tool of migrations.

    Attributes:
        read: Reads a folder: its revisions in order, or the history of a tool that is run.
        ledger: Its ledger.
        make: Makes a database as it does, for a tool that is run, and says where its ledger is;
            None: its files are what makes it.
    """

    read: Callable[[Path, Asked], Iterable[Revision] | History]
    ledger: OldLedger
    make: Callable[[Path, Asked, str], tuple[str | None, str]] | None = None

    def history(self, folder: Path, asked: Asked) -> History:
        """Return the history of a folder."""
        found = self.read(folder, asked)
        if isinstance(found, History):
            return found
        return History(tuple(found), tuple(asked.findings))


@cache
def _table() -> dict[str, dict[str, Any]]:
    text = Path(__file__).with_name("tools.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def known(name: str) -> KnownTool:
    """Return what is known of a tool without its reader."""
    data = _table()[name]
    return KnownTool(name, data["title"], tuple(Sign(**one) for one in data["signs"]))


NAMES = tuple(name for name, data in _table().items() if "ledger" in data)
"""The tools of migrations: one module of `readers/` each, with its `read`; see `Tool`."""

QUERY_TOOLS = {name: known(name) for name in _table() if name not in NAMES}
"""The tools of queries: one module of `query_readers/` each."""

_OURS = Sign("[0-9]*.sql", "files that came over", r"\A-- From [\w-]+: ")
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
            fix=f"one of {', '.join(_table())}",
        )
    reader: Any = import_module(f"todo_sql.adoption.readers.{name.replace('-', '_')}")
    key = getattr(reader, "key_of_row", same_key)
    ledger = OldLedger(**_table()[name]["ledger"], key=key)
    plain = known(name)
    make = getattr(reader, "make", None)
    return Tool(name, plain.title, plain.signs, reader.read, ledger, make)


def recognise(root: Path) -> list[Recognised]:
    """Return the folders of other tools in a project, the surest reason first.

    Where a folder is surely one tool's, what its names alone could mean is left out.
    """
    tools = [known(name) for name in _table()]
    found = []
    for folder in _folders(root, _DEPTH):
        if _shows(_OURS, folder):
            continue
        here = [one for tool in tools if (one := _recognised(tool, folder)) is not None]
        sure = [one for one in here if one.sure]
        found += sure or here
    return found


def _recognised(tool: KnownTool, folder: Path) -> Recognised | None:
    for sign in sorted(tool.signs, key=lambda one: not one.sure):
        if _shows(sign, folder) and (not sign.files.startswith("..") or _has_files(tool, folder)):
            return Recognised(tool.name, folder, sign.why, sign.sure)
    return None


def _has_files(tool: KnownTool, folder: Path) -> bool:
    """Tell whether a folder beside a tool's configuration holds files of its own, too."""
    if any(_shows(sign, folder) for sign in tool.signs if not sign.files.startswith("..")):
        return True
    return folder.name in ("migrations", "sql") and any(folder.glob("*.sql"))


def _shows(sign: Sign, folder: Path) -> bool:
    place, pattern = folder, sign.files
    while pattern.startswith("../"):
        place, pattern = place.parent, pattern[3:]
    there = (path for path in sorted(place.glob(pattern)) if re.match(sign.named, path.name))
    for path in islice(there, _READ):
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
