"""A statement in batches that sets the primary key which it goes along."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import relation


def _check(project: Project) -> Hits:
    for file, statement, made in project.batches():
        batch = file.directives.batch
        if statement.kind != "update_stmt" or (batch and batch.by):
            continue  # a key that the directive names is refused as an error of its own
        table = project.schema.tables.get(relation(statement.root.relation))
        for column in table.primary.columns if table and table.primary else ():
            if column in made.assigned:
                yield Hit(file.spot(statement), {"column": column})


_TABLE = """\
-- transactional: false
-- batch: settings
create table settings (name text, value text, constraint settings_pkey primary key (name));
comment on table settings is 'Settings of the application.';
comment on column settings.name is 'What it is called.';
comment on column settings.value is 'What it is.';
"""

RULE = Rule(
    code="R415",
    name="batch-sets-key",
    severity="error",
    message="the batches go along {column}, and the statement sets it",
    cause="a row could be met twice, or never; `migrate` refuses it",
    fix="name another unique key: `-- batch: TABLE by COLUMN`",
    bad=_TABLE + "update settings set name = 'new' where name = 'old';\n",
    good=_TABLE + "update settings set value = 'new' where value = 'old';\n",
    check=_check,
)
