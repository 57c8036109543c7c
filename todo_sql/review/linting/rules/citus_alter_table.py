"""A change of a table that Citus refuses once the table is distributed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from todo_sql.review.linting.citus import by_name, is_after, names_on_nodes
from todo_sql.review.linting.example_tables import CITUS_TASKS
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import enum, relation, shown, strings

_REFUSED = {
    "AT_AddIdentity": "makes a column an identity",
    "AT_SetIdentity": "changes an identity",
    "AT_DropIdentity": "takes an identity away",
    "AT_DropExpression": "makes a generated column a plain one",
    "AT_SetExpression": "changes what a generated column holds",
    "AT_SetStatistics": "sets the statistics of a column",
    "AT_SetOptions": "sets options of a column",
    "AT_ResetOptions": "resets options of a column",
    "AT_SetStorage": "sets the storage of a column",
    "AT_ClusterOn": "says by which index it is clustered",
    "AT_DropCluster": "says that it is not clustered",
    "AT_SetTableSpace": "moves it to another tablespace",
    "AT_AlterConstraint": "alters a constraint",
    "AT_AddInherit": "lets it inherit",
    "AT_DropInherit": "lets it inherit no more",
    "AT_AddOf": "gives it a type",
    "AT_DropOf": "takes its type away",
    "AT_EnableRule": "switches a rule",
    "AT_DisableRule": "switches a rule",
    "AT_DetachPartitionFinalize": "ends a detach that ran beside the traffic",
}
_OF_COLUMN = {
    "AT_AlterColumnType": "changes the type of",
    "AT_DropColumn": "drops",
    "AT_DropNotNull": "lets NULL into",
    "AT_ColumnDefault": "sets the default of",
}
_SERIALS = ("serial", "bigserial", "smallserial", "serial2", "serial4", "serial8")


def _check(project: Project) -> Hits:
    names, columns = names_on_nodes(project), by_name(project)
    for spot, command in project.commands("alter_table_stmt"):
        table = relation(command.relation)
        if table in names and is_after(project, spot):
            for why in _refused(command, columns.get(table)):
                yield Hit(spot, {"table": shown(table), "why": why})
    for spot, command in project.commands("rename_stmt"):
        table = relation(command.relation)
        if (
            enum(command, "rename_type") == "OBJECT_TABCONSTRAINT"
            and table in names
            and is_after(project, spot)
        ):
            yield Hit(spot, {"table": shown(table), "why": "renames a constraint"})


def _refused(command: Any, column: str | None) -> Iterator[str]:
    """Yield what Citus refuses of an ALTER TABLE."""
    for node in command.cmds:
        change = node.alter_table_cmd
        kind, made = enum(change, "subtype"), getattr(change, "def")
        if kind in _REFUSED:
            yield _REFUSED[kind]
        elif kind in _OF_COLUMN and change.name == column:
            yield f"{_OF_COLUMN[kind]} the column that it is distributed by"
        elif kind == "AT_AddConstraint" and len(command.cmds) > 1:
            yield "adds a constraint among other changes"
        elif kind == "AT_DetachPartition" and made.partition_cmd.concurrent:
            yield "detaches a partition concurrently"
        elif kind == "AT_AddColumn":
            yield from _added(made.column_def, alone=len(command.cmds) == 1)


def _added(made: Any, *, alone: bool) -> Iterator[str]:
    if strings(made.type_name.names)[-1] in _SERIALS:
        yield "adds a serial column"
    for one in made.constraints:
        kind = enum(one.constraint, "contype")
        if kind == "CONSTR_IDENTITY":
            yield "adds an identity column"
        elif kind == "CONSTR_CHECK" and not one.constraint.conname:
            yield "adds a column with a check that has no name"
        elif kind == "CONSTR_FOREIGN" and not alone:
            yield "adds a column with a foreign key among other changes"


RULE = Rule(
    code="R612",
    name="citus-alter-table",
    severity="error",
    message="{table} is on the nodes, and this {why}",
    cause="Citus refuses it for a table that is distributed or on every node",
    fix="give each constraint a statement of its own; what else it is, do it before the table is "
    "distributed, or in a new table whose rows are copied",
    bad=CITUS_TASKS
    + """\
select create_distributed_table('tasks', 'user_id');
alter table tasks alter column id set statistics 500;
""",
    good=CITUS_TASKS
    + """\
alter table tasks alter column id set statistics 500;
select create_distributed_table('tasks', 'user_id');
""",
    check=_check,
    profile="citus",
)
