"""sqitch: `sqitch.plan` orders `deploy/name.sql` and `revert/name.sql`, which psql runs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from todo_sql.adoption.old_ledger import OldLedger
from todo_sql.adoption.psql import expanded
from todo_sql.adoption.revisions import Asked, Revision, Sign, Tool, half_of
from todo_sql.errors import ConfigError

_ENTRY = re.compile(
    r"(?P<name>[^\s@#%][^\s\[]*)[ \t]*(?:\[(?P<needs>[^\]]*)\])?[ \t]*"
    r"(?P<date>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)?(?P<rest>.*)"
)
_TAG = re.compile(r"@([^\s\[]+)")


def read(folder: Path, asked: Asked) -> Iterator[Revision]:
    """Read a project of sqitch's; its keys are the names, ``name@tag`` for what was reworked."""
    top = _top(folder)
    plan = asked.source(top / "sqitch.plan")
    entries: list[re.Match[str]] = []
    tags_after: dict[int, str] = {}
    for text in map(str.strip, plan.text.splitlines()):
        if tag := _TAG.match(text):
            tags_after.setdefault(len(entries), tag[1])
        elif entry := _ENTRY.match(text):
            entries.append(entry)
    for at, entry in enumerate(entries):
        name = entry["name"]
        again = next((n for n in range(at + 1, len(entries)) if entries[n]["name"] == name), at)
        # A name that comes again is `name@tag` by the last tag before its rework.
        worked = next((tags_after[n] for n in range(again, at, -1) if n in tags_after), None)
        key = f"{name}@{worked}" if worked else name
        deploy, revert, verify = (
            top / way / f"{key}.sql" for way in ("deploy", "revert", "verify")
        )
        if not deploy.is_file():
            offset = max(plan.text.find(entry[0]), 0)
            place = plan.place(offset, offset + len(name))
            fix = "put the file back, or take the line out of the plan"
            asked.refuse("A114", f"deploy/{key}.sql is not there", place, fix=fix)
            continue
        source = asked.source(deploy)
        down = asked.half_there(revert, transactional=False)
        notes = (f"verify/{key}.sql did not come over: `todo-sql verify` proves by the catalog",)
        yield Revision(
            key,
            name,
            source.file,
            expanded(half_of(source, transactional=False), top, asked),
            expanded(down, top, asked) if down else None,
            version=re.sub(r"\D", "", entry["date"] or ""),
            checksum=hashlib.sha1(source.text.encode(), usedforsecurity=False).hexdigest(),
            notes=notes if verify.is_file() else (),
        )


def _top(folder: Path) -> Path:
    for path in (folder, folder.parent):
        if (path / "sqitch.plan").is_file():
            return path
    raise ConfigError(
        f"there is no sqitch.plan in {folder}", fix="name the folder that holds sqitch.plan"
    )


TOOL = Tool(
    "sqitch",
    "sqitch",
    (Sign("sqitch.plan", None, "a sqitch.plan"),),
    read,
    OldLedger(
        "changes",
        ("change_id", "change", "project", "committed_at", "script_hash"),
        # Of a name that stands twice, the older row is the one that was reworked.
        "c.change || coalesce((select t.tag from {schema}.tags as t "
        "where t.committed_at < n.next order by t.committed_at desc limit 1), ''), "
        "(c.committed_at at time zone 'UTC')::text, null, c.script_hash",
        schema="sqitch",
        rest="as c cross join lateral (select min(o.committed_at) as next from {schema}.changes "
        "as o where o.change = c.change and o.committed_at > c.committed_at) as n "
        "order by c.committed_at",
        ddl="create schema if not exists sqitch; create table if not exists "
        "sqitch.changes (change_id text primary key, script_hash text unique, "
        "change text not null, project text not null, note text not null default "
        "'', committed_at timestamptz not null default clock_timestamp(), "
        "committer_name text not null, committer_email text not null, planned_at "
        "timestamptz not null, planner_name text not null, planner_email text not "
        "null); create table if not exists sqitch.tags (tag_id text primary key, "
        "tag text not null, project text not null, change_id text not null "
        "references sqitch.changes, note text not null default '', committed_at "
        "timestamptz not null default clock_timestamp(), committer_name text not "
        "null, committer_email text not null, planned_at timestamptz not null, "
        "planner_name text not null, planner_email text not null)",
    ),
)
