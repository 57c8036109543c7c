"""UPDATE or DELETE without WHERE."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import relation, shown


def _check(project: Project) -> Hits:
    for kind, verb in (("update_stmt", "update"), ("delete_stmt", "delete")):
        for spot, command in project.commands(kind, "migration", "rollback", "query"):
            if not command.HasField("where_clause") and spot.file.directives.batch is None:
                words = {"verb": verb, "table": shown(relation(command.relation))}
                yield Hit(spot, words, rewritable=True)


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
