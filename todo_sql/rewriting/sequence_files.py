"""Sequences written in place of their originals, and what names those set right."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from todo_sql import writing
from todo_sql.migrations.files.directives import leading_comments
from todo_sql.migrations.files.migration import Migration, MigrationSet
from todo_sql.rewriting.rewrite import Rewrite

if TYPE_CHECKING:
    from todo_sql.config import Config

_DEPENDS = re.compile(r"--[ \t]*depends[ \t]*:")


def write(config: Config, migrations: MigrationSet, found: Sequence[Rewrite]) -> list[Path]:
    """Write sequences in place of their originals, and return the paths of their files.

    Migrations that depend on an original depend on the last of its sequence from then on, and
    those whose versions a sequence needs get later ones.
    """
    instead = {old: new for one in found for old, new in one.renumbered}
    instead |= {one.original.id: one.files[-1].id for one in found}
    paths = []
    waivers = []
    for one in found:
        folder = one.original.forward.path.parent
        written = []
        with writing.folder(folder, config.root) as place:
            for name, text in one.texts():
                place.write(name, _depending(text, instead))
                written.append(folder / name)
            for script in one.original.scripts:
                if os.path.lexists(script.path):
                    place.delete(script.path.name)
        paths += written
        waivers += written if one.original.forward.directives.allow else []
    gone = {one.original.id for one in found}
    others = sorted((one for one in migrations if one.id not in gone), key=lambda one: one.id)
    for other in reversed(others):  # a version is free once those after it have moved
        paths += _mended(config, other, instead)
    if waivers:
        _drop_idle_waivers(config, waivers)
    return paths


def _mended(config: Config, migration: Migration, instead: Mapping[str, str]) -> list[Path]:
    """Write what a migration depends on and its id anew; return the paths of renamed files."""
    path, id = migration.forward.path, instead.get(migration.id, migration.id)
    if not instead.keys().isdisjoint(migration.forward.directives.depends):
        text = path.read_bytes().decode()
        writing.write(path, _depending(text, instead).encode(), config.root)
    if id == migration.id:
        return []
    renamed = []
    with writing.folder(path.parent, config.root) as place:
        for script in migration.scripts:
            if os.path.lexists(script.path):
                name = id + script.path.name.removeprefix(migration.id)
                place.rename(script.path.name, name)
                renamed.append(script.path.with_name(name))
    return renamed


def _depending(text: str, instead: Mapping[str, str]) -> str:
    """Return a migration that depends on what has taken the place of others."""
    parts, end = [], 0
    start = len(text) - len(text.removeprefix("\ufeff"))
    for offset, comment in leading_comments(text[start:]):
        head = _DEPENDS.match(comment)
        if head:
            names = re.sub(
                r"\S+", lambda name: instead.get(name[0], name[0]), comment[head.end() :]
            )
            parts += [text[end : start + offset], head[0], names]
            end = start + offset + len(comment)
    return "".join((*parts, text[end:]))


def _drop_idle_waivers(config: Config, paths: Sequence[Path]) -> None:
    """Take the waivers out of files in which they waive nothing: each was for the whole."""
    from todo_sql.review.linting.lint import lint

    idle: dict[str, set[int]] = {}
    for one in lint(config).findings:
        if one.code == "R002" and one.place is not None:
            idle.setdefault(one.place.file, set()).add(one.place.line)
    for path in paths:
        lines = idle.get(path.relative_to(config.root).as_posix())
        if lines:
            text = path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for number, line in enumerate(text, 1) if number not in lines]
            writing.write(path, "".join(kept).encode(), config.root)
