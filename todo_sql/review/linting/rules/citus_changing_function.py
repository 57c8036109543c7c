"""A function whose answer changes, where Citus takes none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from todo_sql.review.linting.changing import CHANGING, VOLATILE, changing
from todo_sql.review.linting.citus import names_on_nodes, writes
from todo_sql.review.linting.example_tables import CITUS_TASKS
from todo_sql.review.linting.rule import Hits, Project, Rule
from todo_sql.review.linting.tree import relation, shown, strings, volatility


def _check(project: Project) -> Hits:
    names = names_on_nodes(project)
    own = {
        strings(command.funcname)[-1]: volatility(command)
        for _, command in project.commands("create_function_stmt")
    }
    volatile = VOLATILE | {name for name, kind in own.items() if kind == "volatile"}
    unsteady = CHANGING | {name for name, kind in own.items() if kind != "immutable"}
    for hit, write in writes(project, "InsertStmt", "UpdateStmt", "DeleteStmt"):
        table = relation(write.relation)
        for where, part, refused in _parts(write, volatile, unsteady):
            for name in changing(part, refused) if table in names else ():
                yield replace(hit, words={"function": name, "where": where, "table": shown(table)})


def _parts(
    write: Any, volatile: frozenset[str], unsteady: frozenset[str]
) -> Iterator[tuple[str, Any, frozenset[str]]]:
    """Yield the parts of a write in which Citus takes not every function."""
    yield "what is returned from", write.returning_clause, unsteady
    if type(write).__name__ == "InsertStmt":
        yield "what `on conflict` does in", write.on_conflict_clause, unsteady
        return
    yield "the condition of a write of", write.where_clause, volatile
    if type(write).__name__ == "UpdateStmt":
        for target in write.target_list:
            yield "what is written to", target, volatile


RULE = Rule(
    code="R611",
    name="citus-changing-function",
    severity="error",
    message="{function} is called in {where} {table}",
    cause="each copy of the row has to become the same, so Citus takes nothing but immutable "
    "functions in RETURNING and ON CONFLICT, and no volatile ones in UPDATE and DELETE",
    fix="hand the value in as a parameter; behind `insert` take it from `excluded`, which has what "
    "the row was to hold",
    bad=CITUS_TASKS
    + """\
insert into tasks (user_id, id) values ('u1', 1)
on conflict (user_id, id) do update set id = extract(epoch from now());
""",
    good=CITUS_TASKS
    + """\
insert into tasks (user_id, id) values ('u1', extract(epoch from now()))
on conflict (user_id, id) do update set id = excluded.id;
""",
    check=_check,
    profile="citus",
)
