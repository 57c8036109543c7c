"""Atlas: `VERSION_name.sql` with an atlas.sum; the way back is computed, so there is no file."""

from __future__ import annotations

import re
from pathlib import Path

from todo_sql.adoption.old_ledger import OldLedger
from todo_sql.adoption.readers import golang_migrate
from todo_sql.adoption.revisions import (
    Asked,
    History,
    Revision,
    Sign,
    Tool,
    half_of,
    left_out,
    refusal,
)
from todo_sql.errors import Finding

_FILE = re.compile(r"([^_.]+)(?:_(.*))?\.sql")
_DIRECTIVE = re.compile(r"^--[ \t]*atlas:(\w+)(?:[ \t]+(.*?))?[ \t]*\r?$", re.MULTILINE)


def read(folder: Path, asked: Asked) -> History:
    """Read a folder of Atlas's; its keys are the versions. Pairs are read as golang-migrate's."""
    if any(folder.glob("*.up.sql")):
        return golang_migrate.read(folder, asked)
    findings: list[Finding] = []
    revisions: list[Revision] = []
    for path in sorted(folder.glob("*.sql")):
        named = _FILE.fullmatch(path.name)
        if named is None:
            continue
        source = asked.source(path)
        said = {found[1]: found[2] or "" for found in _DIRECTIVE.finditer(source.text)}
        if "checkpoint" in said and revisions:
            words = "was left out: a checkpoint only repeats what the files before it make"
            findings.append(left_out(words, source.place(0), "`todo-sql squash` makes one of ours"))
            continue
        for word, fix in (
            ("delimiter", "end each statement with a semicolon"),
            ("import", "write out what it imports"),
        ):
            if word in said:
                found = next(one for one in _DIRECTIVE.finditer(source.text) if one[1] == word)
                place = source.place(found.start(), found.end())
                findings.append(refusal("A111", f"`atlas:{word}` is Atlas's own", place, fix=fix))
        inside = said.get("txmode") != "none"
        half = half_of(source, inside)
        revisions.append(
            Revision(named[1], named[2] or "migration", source.file, half, version=named[1])
        )
    return History(tuple(revisions), tuple(findings))


TOOL = Tool(
    "atlas",
    "Atlas",
    (Sign("atlas.sum", None, "an atlas.sum"),),
    read,
    OldLedger(
        "atlas_schema_revisions",
        ("version", "description", "applied", "total", "error"),
        "version, (executed_at at time zone 'UTC')::text, case when coalesce(error, '') <> '' or "
        "applied < total then format('stopped after %s of %s statements: %s', applied, total, "
        "error) when type & 1 = 1 then 'baseline' end, null",
        rest="where version not like '.%' order by version",
        ddl="create table if not exists atlas_schema_revisions (version varchar primary"
        " key, description varchar not null, type bigint not null default 2, "
        "applied bigint not null default 0, total bigint not null default 0, "
        "executed_at timestamptz not null, execution_time bigint not null, error "
        "text, error_stmt text, hash varchar not null, partial_hashes jsonb, "
        "operator_version varchar not null)",
    ),
)
