"""UPDATE or DELETE without WHERE."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.migrations.files import directives
from todo_sql.review.linting.reviewed import File, Spot
from todo_sql.review.linting.rule import Hit, Project, Rule
from todo_sql.review.linting.tree import relation, shown


def _check(project: Project) -> Iterator[Hit]:
    for kind, verb in (("update_stmt", "update"), ("delete_stmt", "delete")):
        for file, statement, command in project.commands(kind, "migration", "rollback", "query"):
            if not command.HasField("where_clause") and not _in_batches(file):
                spot = Spot(file, statement.start, statement.end)
                words = {"verb": verb, "table": shown(relation(command.relation))}
                yield Hit(spot, words, rewritable=True)


def _in_batches(file: File) -> bool:
    return file.kind != "query" and directives.read(file.source)[0].batch is not None


RULE = Rule(
    code="R401",
    name="write-without-where",
    severity="error",
    message="{verb} of every row of {table}",
    cause="it locks and rewrites every row in one transaction, whoever the row belongs to",
    fix="say which rows with `where`, in batches where there are many",
    bad="""\
update tasks set completed = false;
""",
    good="""\
update tasks set completed = false where completed is null;
""",
    check=_check,
)
