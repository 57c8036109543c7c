"""docs/guide.md: what a person types, typed in order, in an empty folder."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from support.commands import NO_FUZZERS, called, clean_environment, todo_sql
from support.database import Owner, Server, database

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
BLOCK = re.compile(r"^```(\w+) ?(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, what stands beside it, its text, and its line."""

    language: str
    note: str
    text: str
    line: int


def blocks() -> Iterator[Block]:
    """Yield the blocks of the guide in order."""
    text = GUIDE.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        yield Block(found[1], found[2], found[3], text.count("\n", 0, found.start()) + 1)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every account can pass through."""
    with tempfile.TemporaryDirectory(prefix="todo-sql-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def write(project: Path, block: Block) -> None:
    """Do what "into this file" says."""
    pattern, _, append = block.note.removeprefix("file=").partition(" ")
    (path,) = list(project.glob(pattern)) or [project / pattern]
    with path.open("a" if append else "w", encoding="utf-8") as file:
        file.write(block.text)


@pytest.mark.long
@pytest.mark.database
def test_the_guide_works(folder: Path, server: Server, owner: Owner) -> None:
    """Every command that needs no network exits 0; Neon is played by the test's server."""
    environment = clean_environment(
        VIRTUAL_ENV=sys.prefix, PYTHONDONTWRITEBYTECODE="1", **NO_FUZZERS
    )
    place = folder
    with database(server, owner) as production:
        branch = f"{production}_branch"
        urls = {"production": server.url(production, owner.name)}
        try:
            for block in blocks():
                if block.note.startswith("file="):
                    write(place, block)
                elif block.note.startswith("neon="):
                    where = block.note.removeprefix("neon=")
                    if where == "branch":
                        urls[where] = copied(server, owner, production, branch)
                    environment.pop("DATABASE_URL", None)
                    if where != "none":
                        environment["DATABASE_URL"] = urls[where]
                elif block.language == "sh" and not block.note:
                    run(block, place, environment)
                    if "\ncd notes\n" in block.text:
                        place = folder / "notes"
        finally:
            todo_sql("db", "stop", cwd=place)
            with psycopg.connect(server.url(), autocommit=True) as admin:
                admin.execute(f"drop database if exists {branch} with (force)")


def copied(server: Server, owner: Owner, name: str, copy: str) -> str:
    """Make a copy of a database, as a branch at Neon is, and return its URL."""
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute(f"create database {copy} template {name} owner {owner.name}")
    return server.url(copy, owner.name)


def run(block: Block, place: Path, environment: dict[str, str]) -> None:
    """Run the lines of a block, and stop at the first command that fails.

    `todo-sql` runs in this process, which spares each of them a start of Python; all else
    runs in the person's shell.
    """
    for line in block.text.splitlines():
        words = shlex.split(line)
        if words[:1] == ["todo-sql"]:
            code, *outputs = called(words[1:], place, environment)
            said = "".join(outputs)
        else:
            script = f"export PATH='{sys.prefix}/bin':$PATH\n{line}"
            done = subprocess.run(
                ["bash", "-ec", script],
                cwd=place,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
            )
            code, said = done.returncode, done.stdout + done.stderr
        assert code == 0, f"docs/guide.md:{block.line}\n{line}\n{said}"


def test_every_block_is_known() -> None:
    """No command of the guide escapes the test by a note that nobody reads."""
    for block in blocks():
        kind, _, value = block.note.partition("=")
        assert kind in ("", "network", "file", "neon", "test"), block
        if kind == "test":
            assert (GUIDE.parents[1] / value).is_file(), block
        if kind == "":
            assert block.language in ("sh", "yaml"), block
