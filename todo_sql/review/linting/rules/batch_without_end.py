"""A statement in batches whose WHERE does not leave out what is done."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.migrations.files import directives
from todo_sql.migrations.files.batched import NotBatched, batched
from todo_sql.migrations.files.rerun import is_session_setting
from todo_sql.review.linting.reviewed import Spot
from todo_sql.review.linting.rule import Hit, Project, Rule


def _check(project: Project) -> Iterator[Hit]:
    for file in project.files:
        if file.kind == "query":
            continue
        batch = directives.read(file.source)[0].batch
        for statement in file.statements if batch is not None else ():
            if batch is None or is_session_setting(statement):
                continue
            try:
                made = batched(statement, batch)
            except NotBatched:  # is an error of its own
                continue
            insert = statement.kind == "insert_stmt"
            if made.excludes or (
                insert and statement.node.insert_stmt.HasField("on_conflict_clause")
            ):
                continue
            yield Hit(Spot(file, statement.start, statement.end))


RULE = Rule(
    code="R411",
    name="batch-without-end",
    severity="warning",
    message="rows that are done cannot be told from rows that are left",
    cause="at the end nobody can ask whether a row was left out, such as one that came "
    "in behind the position, and whoever runs the file by hand does every row again",
    fix="add a condition that holds no more of a row that is done, such as `where region is null`; "
    "an INSERT may say `on conflict do nothing`",
    bad="""\
-- transactional: false
-- batch: tasks by id
update tasks set position = position + 1 where list_id = 3;
""",
    good="""\
-- transactional: false
-- batch: tasks by id
update tasks set position = 1 where position is null;
""",
    check=_check,
)
