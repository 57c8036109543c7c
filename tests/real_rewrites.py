"""Rewrite migrations that other projects wrote: ``python tests/real_rewrites.py TOOL=FOLDER…``.

``todo-sql import TOOL`` converts each folder; its history is applied in order. Of the
migrations that change what is there, spread over the history, those that `plan` finds
hazardous are given to `rewrite`, as a user would; what it writes is applied in the
original's place, and the history goes on. A migration is ``proved``, proved ``in part``
(``--in-part``), or ``asked``, each with the reason; ``FAILED`` is what must not be: an
exit code of its own, a proof that does not hold, a sequence that cannot be applied.

The server is a temporary one: the embedded 18, unless ``--postgres`` says otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
from support.commands import clean_environment

from todo_sql.cli.app import main as todo_sql
from todo_sql.embedded.temporary import temporary_server
from todo_sql.errors import TodoSqlError
from todo_sql.migrations.files.folder import load
from todo_sql.migrations.migrator import Migrator
from todo_sql.migrations.repeating import PREFIX

HAZARDS = ("P102", "P103", "P104", "P105", "P106", "P112")
CHANGES = re.compile(
    r"\b(alter\s+table|create\s+(unique\s+)?index|drop\s+(index|table)|reindex|refresh|"
    r"update\s+(only\s+)?[\w\".]+(\s+(as\s+)?\w+)?\s+set|delete\s+from)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Outcome:
    """What became of a migration."""

    id: str
    said: str
    reason: str = ""
    recipes: tuple[str, ...] = ()
    files: int = 0


class Project:
    """The history of another project, on a database of its own."""

    def __init__(self, tool: str, source: Path, root: Path, url: str, scratch: str) -> None:
        self.root, self.url = root, url
        self.environment = clean_environment(
            DATABASE_URL=url, TODO_SQL_SCRATCH_URL=scratch, TODO_SQL_REPLAY="superuser"
        )
        (root / "pyproject.toml").write_text("[tool.todo-sql]\n", encoding="utf-8")
        code, found, _ = self.run("import", tool, str(source), "--to", "all")
        if code:
            refused = [one["message"] for one in (found or {}).get("refused", [])]
            raise SystemExit(f"import {tool} {source}: exit {code}: {refused[:3]}")
        self.all, self.folder = root / "all", root / "migrations"
        self.folder.mkdir()
        self.spread()
        self.left_out: list[str] = []

    def run(self, *words: str) -> tuple[int, Any, str]:
        """Run a command; return its exit code, its document and what it said beside."""
        out, said = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, self.environment, clear=True),
            contextlib.chdir(self.root),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(said),
        ):
            code = todo_sql([*words, "--json"])
        text = out.getvalue()
        return code, json.loads(text) if text.strip() else None, said.getvalue()

    def spread(self) -> None:
        """Number the migrations anew, with room between them: a sequence takes several."""
        paths = sorted(self.all.iterdir(), reverse=True)
        versions = sorted({path.name[:14] for path in paths if path.name[:14].isdigit()})
        for path in paths:
            if path.name[:14] in versions:
                version = (versions.index(path.name[:14]) + 1) * 100
                path.rename(self.all / f"{version:014d}{path.name[14:]}")

    def ids(self) -> list[str]:
        """Return the versioned migrations, in order."""
        names = (path.name.removesuffix(".sql") for path in self.all.glob("*.sql"))
        return sorted(n for n in names if "." not in n and not n.startswith(PREFIX))

    def lay(self, id: str) -> None:
        """Put a migration into the project."""
        for path in self.all.glob(f"{id}.*"):
            shutil.copy(path, self.folder / path.name)

    def migrate(self) -> None:
        """Apply what is pending; what does not apply is left out."""
        while True:
            migrator = Migrator(self.url, load(self.folder, self.folder))
            try:
                migrator.migrate()
                return
            except TodoSqlError as error:
                found = getattr(error, "findings", None) or [error.finding]
                culprits = {one.place.file.partition(".")[0] for one in found if one.place}
                if not culprits:
                    raise
                for id in culprits:
                    self.left_out.append(f"{id}: {found[0].code} {found[0].message}")
                    for path in self.folder.glob(f"{id}.*"):
                        path.unlink()
                Migrator(self.url, load(self.folder, self.folder)).repair(confirm=lambda _: None)

    def rewrite(self, id: str) -> Outcome | None:
        """Rewrite a pending migration that is hazardous; None: it is not."""
        code, plan, said = self.run("plan")
        if code not in (0, 1) or plan is None:
            return Outcome(id, "FAILED", f"plan: exit {code}: {said[-300:]}")
        codes = {one["code"] for one in plan["findings"]}
        if "P101" in codes or not codes & set(HAZARDS):
            return None
        code, found, said = self.run("rewrite", id, "--yes")
        if code not in (0, 1) or found is None:
            return Outcome(id, "FAILED", f"exit {code}: {said[-300:]}")
        asks = [one for one in found["asks"] if one["severity"] == "error"]
        if asks:
            reasons = Counter(_short(one) for one in asks)
            reason = "; ".join(f"{said} ({count})" for said, count in reasons.items())
            if any(one["code"] == "P302" for one in asks):
                return Outcome(id, "FAILED", reason)
            code, found, said = self.run("rewrite", id, "--yes", "--in-part")
            if code not in (0, 1) or found is None:
                return Outcome(id, "FAILED", f"in part: exit {code}: {said[-300:]}")
            word = "in part" if found["files"] else "asked"
            worse = [one for one in found["asks"] if one["code"] == "P302"]
            if worse:
                return Outcome(id, "FAILED", f"in part: {_short(worse[0])}")
        else:
            word = "proved" if found["files"] else "as it was"
            reason = "" if found["files"] else ", ".join(sorted(codes & set(HAZARDS)))
        outcome = Outcome(id, word, reason, tuple(found["recipes"]), len(found["files"]))
        if found["files"] and not all(v.startswith("equal") for v in found["proof"].values()):
            return Outcome(id, "FAILED", f"proof {found['proof']}")
        before = len(self.left_out)
        self.migrate()
        if found["files"] and len(self.left_out) > before:
            return Outcome(id, "FAILED", f"not applied: {self.left_out[before]}")
        return outcome


def _short(one: Any) -> str:
    said = one["cause"] if one["code"] == "P301" else f"{one['message']}: {one['cause'] or ''}"
    return f"{one['code']} {said}"


def outcomes(project: Project, limit: int) -> Iterator[Outcome]:
    """Apply a history, and yield what became of its hazardous migrations."""
    ids = project.ids()
    texts = {id: (project.all / f"{id}.sql").read_text(encoding="utf-8") for id in ids}
    may = [id for id in ids if CHANGES.search(texts[id])]
    tried = set(may[:: max(1, len(may) // (limit * 3))])
    done = 0
    for id in ids:
        if done >= limit:
            return
        if id not in tried:
            project.lay(id)
            continue
        project.migrate()
        project.lay(id)
        outcome = project.rewrite(id)
        if outcome is not None:
            done += 1
            yield outcome


def main() -> None:
    """Rewrite some of each project's migrations and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("projects", nargs="+", metavar="TOOL=FOLDER")
    parser.add_argument("--postgres", type=int, default=18)
    parser.add_argument("--limit", type=int, default=8, help="of each project")
    arguments = parser.parse_args()
    total: Counter[str] = Counter()
    with (
        temporary_server(arguments.postgres) as server,
        psycopg.connect(server.url("postgres"), autocommit=True) as admin,
    ):
        for number, word in enumerate(arguments.projects):
            tool, _, source = word.partition("=")
            admin.execute(f"create database real_{number}".encode())
            with tempfile.TemporaryDirectory() as name:
                url = server.url(f"real_{number}")
                project = Project(
                    tool, Path(source).absolute(), Path(name), url, server.url("postgres")
                )
                print(f"\n{source}", flush=True)
                counts: Counter[str] = Counter()
                for one in outcomes(project, arguments.limit):
                    counts[one.said] += 1
                    recipes = f" by {', '.join(one.recipes)}" if one.recipes else ""
                    files = f" ({one.files} files{recipes})" if one.files else ""
                    print(f"  {one.said}{files} {one.id} {one.reason}", flush=True)
                print(f"  {dict(counts)}; left out: {len(project.left_out)}", flush=True)
                for line in project.left_out[:5]:
                    print(f"    {line}")
                total += counts
    print(f"\nin all: {total.total()}: {dict(total)}")


if __name__ == "__main__":
    main()
