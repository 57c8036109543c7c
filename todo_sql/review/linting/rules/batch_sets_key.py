"""A statement in batches that sets the primary key which it goes along."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.migrations.files import directives
from todo_sql.migrations.files.batched import NotBatched, batched
from todo_sql.migrations.files.rerun import is_session_setting
from todo_sql.review.linting.reviewed import Spot
from todo_sql.review.linting.rule import Hit, Project, Rule
from todo_sql.review.linting.tree import relation


def _check(project: Project) -> Iterator[Hit]:
    for file, statement, command in project.commands("update_stmt", "migration", "rollback"):
        batch = directives.read(file.source)[0].batch
        if batch is None or batch.by or is_session_setting(statement):
            continue  # a key that the directive names is refused as an error of its own
        table = project.schema.tables.get(relation(command.relation))
        try:
            made = batched(statement, batch)
        except NotBatched:
            continue
        for column in table.primary.columns if table and table.primary else ():
            if column in made.assigned:
                words = {"column": column}
                yield Hit(Spot(file, statement.start, statement.end), words)


RULE = Rule(
    code="R415",
    name="batch-sets-key",
    severity="error",
    message="the batches go along {column}, and the statement sets it",
    cause="a row could be met twice, or never; `migrate` refuses it",
    fix="name another unique key: `-- batch: TABLE by COLUMN`",
    bad="""\
-- transactional: false
-- batch: settings
create table settings (name text, value text, constraint settings_pkey primary key (name));
comment on table settings is 'Settings of the application.';
comment on column settings.name is 'What it is called.';
comment on column settings.value is 'What it is.';
update settings set name = 'new' where name = 'old';
""",
    good="""\
-- transactional: false
-- batch: settings
create table settings (name text, value text, constraint settings_pkey primary key (name));
comment on table settings is 'Settings of the application.';
comment on column settings.name is 'What it is called.';
comment on column settings.value is 'What it is.';
update settings set value = 'new' where value = 'old';
""",
    check=_check,
)
