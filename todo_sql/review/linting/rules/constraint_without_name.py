"""A constraint without a name."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Hits:
    for table in project.schema.tables.values():
        for spot in (key.spot for key in table.constraints if not key.named):
            yield Hit(spot, {"table": shown(table.name), "short": table.name.split(".")[-1]})


RULE = Rule(
    code="R503",
    name="constraint-without-name",
    severity="warning",
    message="a constraint of {table} has no name",
    cause="PostgreSQL chooses one, differently when a name is taken; errors, rollbacks and drift "
    "then mention a name that appears in no file",
    fix="write `constraint {short}_…` before it",
    bad="""\
create table notes (id bigint primary key);
comment on table notes is 'Notes.';
comment on column notes.id is 'Number.';
""",
    good="""\
create table notes (id bigint constraint notes_pkey primary key);
comment on table notes is 'Notes.';
comment on column notes.id is 'Number.';
""",
    check=_check,
)
