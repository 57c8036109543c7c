"""node-pg-migrate: files of SQL (or JavaScript) ordered by the number that they begin with."""

from __future__ import annotations

import re
from pathlib import Path

from todo_sql.adoption.old_ledger import OldLedger
from todo_sql.adoption.revisions import (
    Asked,
    Half,
    History,
    Revision,
    Sign,
    Tool,
    code_instead,
    split_at,
)
from todo_sql.adoption.versions import natural

_FILE = re.compile(r"((\d+)[-_](.+?))(\.up|\.down)?\.(sql|js|ts|cjs|mjs|cts|mts)")
_MARK = re.compile(r"^[ \t]*--[\s-]*?(?P<way>up|down)[ \t]+migration.*$", re.MULTILINE | re.I)
_NO_WAY_BACK = "node-pg-migrate undoes no file without a mark for down"


def read(folder: Path, asked: Asked) -> History:
    """Read a folder of node-pg-migrate's; its keys are the file names without extension."""
    found: list[Revision] = []
    downs: dict[str, Path] = {}
    paths = [path for path in folder.iterdir() if path.is_file()]
    for path in paths:
        named = _FILE.fullmatch(path.name)
        if named and named[4] == ".down":
            downs[named[1]] = path
    for path in paths:
        named = _FILE.fullmatch(path.name)
        if named is None or named[4] == ".down" or path.name.endswith(".d.ts"):
            continue
        key, version, name = named[1], named[2], named[3]
        if named[5] != "sql":
            found.append(code_instead(key, name, path, asked, "in JavaScript", version))
            continue
        source = asked.source(path)
        if named[4]:
            down = asked.source(downs[key]) if key in downs else None
            halves = {"up": Half(source.file, source.text)}
            if down:
                halves["down"] = Half(down.file, down.text)
        else:
            parts = list(split_at(source.text, _MARK))
            halves = {
                mark["way"].lower(): Half(source.file, text, line)
                for mark, text, line in parts
                if mark is not None
            }
            if not halves:
                halves = {"up": Half(source.file, source.text)}
        up = halves.get("up", Half(source.file, ""))
        found.append(
            Revision(
                key,
                name,
                source.file,
                up,
                halves.get("down"),
                version=version,
                irreversible=_NO_WAY_BACK,
            )
        )
    found.sort(key=lambda one: (int(one.version), natural(one.key)))
    return History(tuple(found))


TOOL = Tool(
    "node-pg-migrate",
    "node-pg-migrate",
    (
        Sign("../package.json", r'"node-pg-migrate"', "a package.json with node-pg-migrate"),
        Sign("*.sql", r"(?i)^[ \t]*--[\s-]*up migration", "files with `-- Up Migration`"),
        Sign("[0-9]*.js", r"\bpgm\.", "files that call pgm"),
        Sign("[0-9]*.ts", r"\bpgm\.", "files that call pgm"),
    ),
    read,
    OldLedger(
        "pgmigrations",
        ("id", "name", "run_on"),
        "name, (run_on::timestamptz at time zone 'UTC')::text, null, null",
        rest="order by run_on, id",
        ddl="create table if not exists pgmigrations (id serial primary key, name "
        "varchar(255) not null, run_on timestamp not null)",
    ),
)
