"""Migration files: names, pairs, directives, checksums, dependencies. Pure but for reading.

`load` reads everything and reports everything that is wrong at once; what needs
PostgreSQL's grammar is in `statements.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path

from todo_sql.errors import ConfigError, Finding, Place, UsageError
from todo_sql.migrations.files.directives import Directives
from todo_sql.migrations.files.directives import read as read_directives
from todo_sql.migrations.files.migration import (
    ROLLBACK,
    Migration,
    MigrationSet,
    Script,
    replaced_by,
)
from todo_sql.migrations.files.reading import read_sql
from todo_sql.migrations.migration_errors import InvalidFiles
from todo_sql.sql.source import Source, shown_path

_ID = re.compile(r"\d{14}_[A-Za-z0-9][A-Za-z0-9_-]*")
REPEATABLE, HOOKS, SQUASHED = "repeatable", "hooks", "squashed"
NO_MIGRATIONS = (REPEATABLE, HOOKS, SQUASHED)


def load(folders: Path | Sequence[Path], root: Path | None = None) -> MigrationSet:
    """Read the versioned migrations of a folder, or of several.

    Args:
        folders: Where the files are, with sub-folders; see `files_of`. All of one folder come
            before those of the next.
        root: Messages show paths relative to it; default: the working directory.

    Raises:
        ConfigError: There is no such folder.
        InvalidFiles: Names, encoding, pairs, directives or dependencies are wrong;
            every finding is in it.
    """
    root = root or Path.cwd()
    problems: list[Finding] = []
    migrations: list[Migration] = []
    every = [folders] if isinstance(folders, Path) else folders
    for rank, folder in enumerate(every):
        if not folder.is_dir():
            raise ConfigError(
                f"there is no folder of migrations at {folder}",
                fix="name it with `--migrations DIR` or `migrations` in [tool.todo-sql]",
            )
        names = files_of(folder)
        scripts = _read_scripts(folder, root, shown_path(folder, root), names, problems)
        migrations += [replace(one, rank=rank) for one in _pair(scripts, set(names), problems)]
    problems += [*_wrong_versions(migrations), *_wrongly_replaced(migrations)]
    ordered = _order(migrations, problems)
    shown = ", ".join(shown_path(folder, root) for folder in every)
    refuse(problems, shown)
    return MigrationSet(shown, ordered)


def files_of(folder: Path) -> list[str]:
    """Return the names of the files of a folder of migrations, relative to it.

    Those of a sub-folder that holds a migration count, too; hidden ones do not, nor what
    `NO_MIGRATIONS` names.
    """
    names = []
    for path, folders, files in os.walk(folder):
        below = Path(path).relative_to(folder)
        top = below == Path()
        folders[:] = [
            name
            for name in folders
            if not name.startswith((".", "__")) and not (top and name in NO_MIGRATIONS)
        ]
        if top or any(name.endswith(".sql") and _wrong_name(name) is None for name in files):
            names += [(below / name).as_posix() for name in files]
    return sorted(names)


def refuse(problems: list[Finding], shown: str) -> None:
    """Raise `InvalidFiles` if there are problems."""
    if problems:
        problems = sorted(problems, key=lambda finding: finding.position)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise InvalidFiles(
            f"{count} in {shown}; the database was not touched",
            problems,
            fix="correct the files, then run the command again",
        )


def _read_scripts(
    folder: Path, root: Path, shown: str, names: Sequence[str], problems: list[Finding]
) -> dict[str, Script]:
    """Return the scripts among the files of a folder, by name."""
    prefix = "" if shown == "." else f"{shown}/"
    scripts = {}
    strange: dict[str, Finding] = {}
    for name in names:
        last = name.rpartition("/")[2]
        if last.startswith(".") or not last.lower().endswith((".sql", ".py")):
            continue
        if wrong := _wrong_name(last):
            strange[name] = Finding.error("M101", wrong[0], Place(prefix + name, 1), fix=wrong[1])
        elif script := read_script(folder / name, prefix + name, folder, root, problems):
            scripts[name] = script
    named = {name for script in scripts.values() for name, _ in script.included}
    problems += [finding for name, finding in strange.items() if name not in named]
    return scripts


def read_script(
    path: Path, shown: str, folder: Path, root: Path, problems: list[Finding]
) -> Script | None:
    """Read one file of a folder; what is wrong with it is added to the problems."""
    try:
        file = read_sql(path, shown, folder=folder, root=root)
    except UsageError as error:
        problems.append(error.finding)
        return None
    except OSError as error:
        problems.append(Finding.error("M102", f"cannot be read: {error.strerror}", Place(shown, 1)))
        return None
    directives, wrong = read_directives(file.source)
    problems.extend(wrong)
    return Script(path, file.source, directives, file.rows, file.included)


def _wrong_name(name: str) -> tuple[str, str] | None:
    """Return what is wrong with a file's name and how to correct it, or None."""
    if name.endswith(".py"):
        if _ID.fullmatch(name.removesuffix(".py")):
            return "a migration in Python is not supported", "write it in SQL"
        return None if name == "__init__.py" else ("not a migration file", "move it elsewhere")
    stem = name.removesuffix(ROLLBACK) if name.endswith(ROLLBACK) else name.removesuffix(".sql")
    if _ID.fullmatch(stem):
        return None
    fix = (
        "name it YYYYMMDDHHMMSS_description.sql (letters, digits, `_` and `-`), as `todo-sql new` "
    )
    return "the file's name is not a version and a description", fix + "does"


def _pair(scripts: dict[str, Script], names: Set[str], problems: list[Finding]) -> list[Migration]:
    migrations = []
    for name, script in scripts.items():
        if name.endswith(ROLLBACK):
            if name.removesuffix(ROLLBACK) + ".sql" not in names:
                place = Place(script.source.file, 1)
                fix = f"add {name.removesuffix(ROLLBACK)}.sql beside it or delete it"
                message = "a rollback file without its migration"
                problems.append(Finding.error("M103", message, place, fix=fix))
            continue
        stem = name.removesuffix(".sql")
        rollback = scripts.get(stem + ROLLBACK)
        there = stem + ROLLBACK in names  # if it cannot be read, that is told
        problems.extend(_wrong_pair(script, rollback, stem, there))
        if rollback is None and script.directives.nothing_to_undo is not None:
            rollback = _nothing_to_undo(script)
        migrations.append(Migration(stem.rpartition("/")[2], script, rollback))
    return migrations


def _nothing_to_undo(script: Script) -> Script:
    """Return the rollback of a migration that says that there is nothing to undo."""
    reason = script.directives.nothing_to_undo
    name = script.source.file.removesuffix(".sql") + ROLLBACK
    path = script.path.with_name(script.path.name.removesuffix(".sql") + ROLLBACK)
    said = Source(name, f"-- nothing-to-undo: {reason}\n")
    return Script(path, said, Directives(nothing_to_undo=reason))


def _wrong_pair(
    script: Script, rollback: Script | None, stem: str, there: bool
) -> Iterator[Finding]:
    said = script.directives.said("irreversible", "nothing-to-undo")
    if not there and not said:
        yield Finding.error(
            "M104",
            "the rollback file is missing",
            Place(script.source.file, 1),
            fix=f"write {stem}{ROLLBACK}, or `-- irreversible: reason` in this file",
        )
    other = "`irreversible`" if rollback is None else "has a rollback file"
    for name in said if rollback is not None else said[1:]:
        message, place = f"the migration says `{name}` and {other}", script.place_of_directive(name)
        yield Finding.error("M105", message, place, fix="remove one of the two")
    if rollback is not None:
        for name in rollback.directives.said("irreversible", "depends", "replaces", "phase"):
            message = f"`{name}` has no meaning in a rollback file"
            place, fix = rollback.place_of_directive(name), "move it to the migration's own file"
            yield Finding.error("M106", message, place, fix=fix)


def _wrong_versions(migrations: list[Migration]) -> Iterator[Finding]:
    first: dict[str, Migration] = {}
    for migration in migrations:
        other = first.setdefault(migration.version, migration)
        if other is not migration:
            message = f"version {migration.version} is taken by {other.id}"
            fix = "give one of the two a later version (rename both of its files)"
            yield Finding.error("M107", message, Place(migration.forward.source.file, 1), fix=fix)


def _wrongly_replaced(migrations: list[Migration]) -> Iterator[Finding]:
    """Yield what is replaced and still there, or replaced by two."""
    first: dict[str, Migration] = {}
    by_id = {migration.id: migration for migration in migrations}
    for migration in migrations:
        for one in migration.forward.directives.replaces:
            other = first.setdefault(one.id, migration)
            still = by_id.get(one.id)
            if other is migration and still is None:
                continue
            yield Finding.error(
                "M115",
                f"{one.id} is replaced by {migration.id}, and "
                + ("by " + other.id if other is not migration else "is still there"),
                Place((still or migration).forward.source.file, 1),
                fix="keep the squashed pair alone: the replaced files lie in "
                f"{SQUASHED}/{migration.id}/ beside it, or go back to the files before it",
            )


def _order(migrations: list[Migration], problems: list[Finding]) -> tuple[Migration, ...]:
    """Return the migrations by folder and id, each after those that it depends on."""
    by_id = {migration.id: migration for migration in migrations}
    scripts = {id: migration.forward for id, migration in by_id.items()}
    known = {name: one.id for name, one in {**replaced_by(migrations), **by_id}.items()}
    fix = "write the full id of a migration of this folder, several separated by spaces"
    ranks = {one.id: one.rank for one in migrations}
    ordered = in_order(scripts, known, "migrations", fix, problems, ranks)
    return tuple(by_id[name] for name in ordered)


def in_order(
    scripts: Mapping[str, Script],
    known: Mapping[str, str],
    what: str,
    fix: str,
    problems: list[Finding],
    ranks: Mapping[str, int] | None = None,
) -> list[str]:
    """Return the names of files, each after those that its file depends on; see `topological`.

    Args:
        known: Which of them each name means that a file may depend on.
        what: Their noun.
        fix: What to do about another name.
        problems: Gets what is wrong.
    """
    depends: dict[str, set[str]] = {}
    for name, script in scripts.items():
        place, named = script.place_of_directive("depends"), script.directives.depends
        depends[name] = {known[other] for other in named if other in known}
        problems += [
            Finding.error("M108", f"depends on {other}, which does not exist", place, fix=fix)
            for other in named
            if other not in known
        ]
    ordered = topological(scripts, depends, ranks)
    placed = set(ordered)
    if circle := [name for name in scripts if name not in placed]:
        message = f"these {what} depend on each other: {', '.join(circle)}"
        place = scripts[circle[0]].place_of_directive("depends")
        problems.append(Finding.error("M109", message, place, fix="break the circle"))
    return ordered


def topological(
    names: Iterable[str], depends: Mapping[str, set[str]], ranks: Mapping[str, int] | None = None
) -> list[str]:
    """Sort names, each after those that it depends on, otherwise by rank and alphabetically.

    Names in a circle, and those that depend on them, are left out. The order is that
    of yoyo.
    """
    import heapq

    waiting = {name: set(depends.get(name, ())) for name in names}
    followers: dict[str, list[str]] = {}
    for name, others in waiting.items():
        for other in others:
            followers.setdefault(other, []).append(name)
    ranks = ranks or {}
    ready = [(ranks.get(name, 0), name) for name, others in waiting.items() if not others]
    heapq.heapify(ready)
    ordered = []
    while ready:
        _, name = heapq.heappop(ready)
        ordered.append(name)
        for follower in followers.get(name, ()):
            waiting[follower].discard(name)
            if not waiting[follower]:
                heapq.heappush(ready, (ranks.get(follower, 0), follower))
    return ordered
