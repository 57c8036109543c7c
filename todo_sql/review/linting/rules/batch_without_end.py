"""A statement in batches whose WHERE does not leave out what is done."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule


def _check(project: Project) -> Hits:
    for file, statement, made in project.batches():
        if not (made.excludes or statement.node.insert_stmt.HasField("on_conflict_clause")):
            yield Hit(file.spot(statement))


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
