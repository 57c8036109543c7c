"""What lies beside the versioned migrations: repeatable files and hooks. Pure but for reading."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from todo_sql.config import Config
from todo_sql.errors import Finding, Place
from todo_sql.migrations.files.folder import (
    HOOKS,
    REPEATABLE,
    in_order,
    load,
    read_script,
    refuse,
)
from todo_sql.migrations.files.from_outside import FromOutside
from todo_sql.migrations.files.migration import MigrationSet, Script
from todo_sql.sql.source import shown_path

HOOK_NAMES = ("before", "after", "after_each", "on_error")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_OF_VERSIONED = ("transactional", "irreversible", "replaces", "nothing-to-undo", "phase", "batch")
_MEANINGLESS = {
    REPEATABLE: "a repeatable file is one transaction, and its former text undoes it",
    HOOKS: "a hook is one transaction, run when its name says",
}


def load_whole(
    folders: Path | Sequence[Path], root: Path | None = None, outside: FromOutside | None = None
) -> MigrationSet:
    """Read folders of migrations, with what lies beside: see `load`.

    Args:
        folders: In the order in which they are applied.
        root: Messages show paths relative to it; default: the working directory.
        outside: The settings that the configuration has.

    Raises:
        ConfigError: There is no such folder.
        InvalidFiles: Every finding is in it.
    """
    root = root or Path.cwd()
    every = [folders] if isinstance(folders, Path) else list(folders)
    migrations = load(every, root)
    problems: list[Finding] = []
    scripts = _repeatables(every, root, problems)
    known = {name: name for name in scripts}
    fix = "write the name of a repeatable file without `.sql`; every versioned migration comes "
    ordered = in_order(scripts, known, "repeatable files", fix + "before them", problems)
    repeatables = tuple(scripts[name] for name in ordered)
    hooks = _hooks(every, root, problems)
    refuse(problems, migrations.shown)
    outside = outside or FromOutside()
    return replace(migrations, repeatables=repeatables, hooks=hooks, outside=outside)


def load_project(config: Config) -> MigrationSet:
    """Read the migrations of a project; see `load_whole`."""
    outside = FromOutside(config.settings, config.environment)
    return load_whole(config.migration_folders, config.root, outside)


def files_beside(folder: Path, *among: str) -> list[str]:
    """Return the names of the files of `repeatable/` and `hooks/`, relative to the folder."""
    found = []
    for below in among or (REPEATABLE, HOOKS):
        for path, folders, files in os.walk(folder / below):
            folders[:] = [name for name in folders if not name.startswith((".", "__"))]
            place = Path(path).relative_to(folder)
            found += [(place / name).as_posix() for name in files if name.lower().endswith(".sql")]
    return sorted(name for name in found if not Path(name).name.startswith("."))


def _scripts(
    folders: Iterable[Path], root: Path, below: str, problems: list[Finding]
) -> Iterator[Script]:
    for folder in folders:
        prefix = shown_path(folder, root)
        for name in files_beside(folder, below):
            shown = name if prefix == "." else f"{prefix}/{name}"
            script = read_script(folder / name, shown, folder, root, problems)
            if script is not None:
                problems.extend(_meaningless(script, below))
                yield script


def _meaningless(script: Script, below: str) -> Iterator[Finding]:
    of_hooks = ("depends",) if below == HOOKS else ()
    for name in script.directives.said(*_OF_VERSIONED, *of_hooks):
        yield Finding.error(
            "M114",
            f"`{name}` has no meaning in {below}/",
            script.place_of_directive(name),
            cause=_MEANINGLESS[below],
            fix="remove it; what needs it is a versioned migration",
        )
    if below == REPEATABLE and script.rows:
        yield Finding.error(
            "M114",
            "data behind COPY has no meaning in repeatable/",
            script.source.place(0),
            cause="each run would put the rows there once more",
            fix="move it to a versioned migration",
        )


def _misplaced(script: Script, message: str, fix: str) -> Finding:
    return Finding.error("M113", message, Place(script.source.file, 1), fix=fix)


def _repeatables(folders: Iterable[Path], root: Path, problems: list[Finding]) -> dict[str, Script]:
    found: dict[str, Script] = {}
    for script in _scripts(folders, root, REPEATABLE, problems):
        name = script.path.name.removesuffix(".sql")
        other = found.setdefault(name, script)
        if script.is_rollback:
            del found[name]
            wrong = "a repeatable file has no rollback file", "delete it: the former text undoes it"
        elif not _NAME.fullmatch(name):
            wrong = "the name of a repeatable file is wrong", "use letters, digits, `_` and `-`"
        elif other is not script:
            wrong = f"the name {name} is taken by {other.source.file}", "rename one of the two"
        else:
            continue
        problems.append(_misplaced(script, *wrong))
    return found


def _hooks(folders: Iterable[Path], root: Path, problems: list[Finding]) -> dict[str, Script]:
    found: dict[str, Script] = {}
    for script in _scripts(folders, root, HOOKS, problems):
        name = script.path.stem
        if name not in HOOK_NAMES or script.path.parent.name != HOOKS:
            names = ", ".join(f"{one}.sql" for one in HOOK_NAMES)
            problems.append(_misplaced(script, "there is no such hook", f"the hooks are {names}"))
        elif name in found:
            message = f"the hook {name} is {found[name].source.file} already"
            problems.append(_misplaced(script, message, "let one folder have it"))
        else:
            found[name] = script
    return found
