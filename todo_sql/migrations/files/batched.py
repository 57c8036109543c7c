"""A statement that runs by ranges of a key: what it may be, and its text for a range. Pure.

The range is added to the parse tree: to the WHERE of an UPDATE or DELETE of the table, or to
that of the SELECT that feeds an INSERT. There the rows that are read are locked FOR SHARE,
since one that is deleted meanwhile would come back as a ghost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from todo_sql.catalog.names import quoted, relation_name
from todo_sql.migrations.files.directives import BatchBy
from todo_sql.migrations.files.rerun import is_session_setting
from todo_sql.migrations.files.where_of_write import Clauses, excludes_done
from todo_sql.sql import grammar
from todo_sql.sql.grammar import GrammarError, Statement
from todo_sql.sql.walking import enum, of_type, shape, strings

if TYPE_CHECKING:
    from todo_sql.migrations.files.migration import Script

KINDS = {"update_stmt": "UPDATE", "delete_stmt": "DELETE", "insert_stmt": "INSERT … SELECT"}
_AGGREGATES = {
    *("count", "sum", "avg", "min", "max", "array_agg", "string_agg", "json_agg", "jsonb_agg"),
    *("bool_and", "bool_or", "every", "json_object_agg", "jsonb_object_agg", "any_value"),
}
_ONCE = (
    *(("group_clause", "GROUP BY"), ("having_clause", "HAVING"), ("distinct_clause", "DISTINCT")),
    *(("window_clause", "WINDOW"), ("limit_count", "LIMIT"), ("limit_offset", "OFFSET")),
)


class NotBatched(Exception):
    """A statement cannot run in batches."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


@dataclass(frozen=True, slots=True)
class BatchKey:
    """The key by which a table is walked through.

    Attributes:
        schema: Where the operators of their order are, or None: they differ in that.
    """

    columns: tuple[str, ...]
    schema: str | None = "pg_catalog"

    def beyond(self, alias: str, first: int, operator: str) -> str:
        """Return the condition that a row's key is ``>`` or ``<=`` some parameters."""
        mine = ", ".join(f"{quoted(alias)}.{quoted(column)}" for column in self.columns)
        given = ", ".join(f"${first + number}" for number in range(len(self.columns)))
        if self.schema is not None:
            operator = f"operator({quoted(self.schema)}.{operator})"
        return f"({mine}) {operator} ({given})"


@dataclass(frozen=True)
class BatchedStatement:
    """A statement of a file that says `-- batch:`, and where its table stands in it.

    Attributes:
        table: Its name as the statement says it, and its `alias` there.
        assigned: The columns that it writes in the table.
        excludes: Whether its WHERE is proved to leave out the rows that are done.
    """

    statement: Statement
    table: str
    alias: str
    assigned: frozenset[str]
    excludes: bool

    def ranged(self, key: BatchKey, *, lower: bool) -> str:
        """Return the statement for keys up to a bound, and beyond another if there is one."""
        bounds = [key.beyond(self.alias, 1, "<=")]
        if lower:
            bounds.append(key.beyond(self.alias, 1 + len(key.columns), ">"))
        tree = _copy(self.statement)
        node = getattr(tree, self.statement.kind)
        share = None
        if self.statement.kind == "insert_stmt":
            node = node.select_stmt.select_stmt
            share = _share(node, self.alias)
        _demand(node, bounds)
        return _written(tree, Clauses.of(self.statement).with_(bounds, share))

    def left(self, key: BatchKey, *, upper: bool) -> str:
        """Return the query whether a row still matches, of the keys up to a bound or of all."""
        tree = _copy(self.statement)
        node = getattr(tree, self.statement.kind)
        whole = grammar.parse("select 1 from pg_catalog.pg_class")[0].node
        made = whole.select_stmt
        if self.statement.kind == "insert_stmt":
            made.CopyFrom(node.select_stmt.select_stmt)
            del made.locking_clause[:]
        else:
            made.from_clause[0].range_var.CopyFrom(node.relation)
            update = self.statement.kind == "update_stmt"
            made.from_clause.extend(node.from_clause if update else node.using_clause)
            for part in ("where_clause", "with_clause"):
                if node.HasField(part):
                    getattr(made, part).CopyFrom(getattr(node, part))
        bare = _copy(whole)
        bare.select_stmt.ClearField("where_clause")
        parts = [f"({Clauses.of(self.statement).where})"] if made.HasField("where_clause") else []
        if upper:
            parts.append(key.beyond(self.alias, 1, "<="))
            _demand(made, parts[-1:])
        text = f"{grammar.deparse(bare)} where {' and '.join(parts)}" if parts else ""
        return f"select exists ({_written(whole, text)})"


def batched(statement: Statement, batch: BatchBy) -> BatchedStatement:
    """Return a statement as one that runs in batches.

    Raises:
        NotBatched: It cannot.
    """
    if statement.kind not in KINDS or statement.unseen:
        raise NotBatched(
            "only UPDATE, DELETE and INSERT … SELECT run in batches",
            "put the other statement into a file of its own",
        )
    node = statement.root
    for cte in of_type(node.with_clause, "CommonTableExpr"):
        if cte.ctequery.WhichOneof("node") != "select_stmt":
            raise NotBatched(
                f"what {quoted(cte.ctename)} writes would be written with every batch",
                "put it into a file of its own",
            )
        if cte.ctename == batch.table and batch.schema is None:
            raise NotBatched(
                f"{quoted(batch.table)} is the name of a WITH query here",
                "give the query another name",
            )
    if statement.kind == "insert_stmt":
        found = _source(node, batch)
    else:
        found = node.relation
        if not _is(found, batch):
            name = relation_name(found)
            message = f"the statement writes {name}, and the directive names {batch.named}"
            raise NotBatched(message, f"write `-- batch: {name}`")
        if any(of_type(node.where_clause, "CurrentOfExpr")):
            raise NotBatched("WHERE CURRENT OF needs a cursor", "write a condition")
    if found.alias.colnames:
        raise NotBatched("the alias renames the columns of the table", "give it a name alone")
    written = node.target_list if statement.kind == "update_stmt" else ()
    assigned = frozenset(target.res_target.name for target in written)
    alias = found.alias.aliasname or found.relname
    excludes = excludes_done(statement)
    made = BatchedStatement(statement, relation_name(found), alias, assigned, excludes)
    refuse_assigned(made, batch.by)
    key = BatchKey(batch.by or ("key",))
    made.ranged(key, lower=True)  # refused, if it cannot be written
    try:
        made.left(key, upper=True)
    except NotBatched:
        return replace(made, excludes=False)
    return made


def refuse_assigned(made: BatchedStatement, key: Sequence[str]) -> None:
    """Refuse a statement that writes the key that it is walked through by."""
    for column in key:
        if column in made.assigned:
            raise NotBatched(
                f"{quoted(column)} is of the key, and the statement sets it: a row could be met "
                "twice, or never",
                "name another unique key: `-- batch: TABLE by COLUMN`",
            )


def batched_of(script: Script) -> BatchedStatement | None:
    """Return the statement of a file that runs in batches; None: the file says nothing of it."""
    if script.directives.batch is None:
        return None
    if script.directives.transactional:
        raise NotBatched(
            "a file that runs in batches is not one transaction",
            "say `-- transactional: false` beside `-- batch:`",
        )
    statements = [one for one in script.statements if not is_session_setting(one)]
    if len(statements) != 1:
        raise NotBatched(
            f"the file runs in batches, and holds {len(statements)} statements",
            "put each statement that runs in batches into a file of its own",
        )
    return batched(statements[0], script.directives.batch)


def _source(node: Any, batch: BatchBy) -> Any:
    """Return where the table stands in the FROM of an INSERT … SELECT."""
    select = node.select_stmt.select_stmt
    if select.values_lists or not node.HasField("select_stmt"):
        raise NotBatched("an INSERT of VALUES has no table to go through", "remove `-- batch:`")
    if enum(select, "op") != "SETOP_NONE":
        raise NotBatched(
            "the parts of a UNION, INTERSECT or EXCEPT cannot be locked FOR SHARE",
            "write a file for each part",
        )
    for field, words in _ONCE:
        value = getattr(select, field)
        given = len(value) if hasattr(value, "__len__") else select.HasField(field)
        if given:
            raise _another(words)
    targets = (of_type(one, "FuncCall", skip=("SelectStmt",)) for one in select.target_list)
    for call in chain.from_iterable(targets):
        name = strings(call.funcname)[-1]
        if call.HasField("over") or call.agg_star or name in _AGGREGATES:
            raise _another(name)
    for lock in of_type(select, "LockingClause", skip=("SelectStmt",)):
        if enum(lock, "wait_policy") == "LockWaitSkip":
            raise NotBatched("SKIP LOCKED would leave rows out for good", "remove SKIP LOCKED")
    tables = chain.from_iterable(_tables(item, inner=True) for item in select.from_clause)
    found = [(one, inner) for one, inner in tables if _is(one, batch)]
    if len(found) != 1:
        raise NotBatched(
            f"{batch.named} stands {len(found)} times in the FROM of the statement",
            "name a table that stands there once",
        )
    if not found[0][1]:
        raise NotBatched(
            f"{batch.named} is on the side of an outer join that may be missing, and cannot be "
            "locked FOR SHARE",
            "name the table on the other side",
        )
    return found[0][0]


def _another(what: str) -> NotBatched:
    message = f"{what} over a range of keys is another than over all rows"
    return NotBatched(message, "write the statement without it, or run it at once")


def _tables(item: Any, *, inner: bool) -> list[tuple[Any, bool]]:
    """Return the tables of an item of FROM, and whether each has a row in every result."""
    if item.HasField("range_var"):
        return [(item.range_var, inner)]
    if not item.HasField("join_expr"):
        return []
    join = item.join_expr
    kind = enum(join, "jointype")
    left = inner and kind in ("JOIN_INNER", "JOIN_LEFT")
    right = inner and kind in ("JOIN_INNER", "JOIN_RIGHT")
    return [*_tables(join.larg, inner=left), *_tables(join.rarg, inner=right)]


def _is(relation: Any, batch: BatchBy) -> bool:
    schemas = {relation.schemaname or None, batch.schema} - {None}
    return relation.relname == batch.table and len(schemas) < 2


def _copy(of: Any) -> Any:
    node = of.node if isinstance(of, Statement) else of
    tree = type(node)()
    tree.CopyFrom(node)
    return tree


def _demand(select: Any, conditions: Sequence[str]) -> None:
    """Add conditions to the WHERE of a statement."""
    text = "select where true and " + " and ".join(conditions)
    demanded = grammar.parse(text)[0].node.select_stmt.where_clause
    both: list[Any] = []
    if select.HasField("where_clause"):
        own = select.where_clause
        conjuncts = own.HasField("bool_expr") and enum(own.bool_expr, "boolop") == "AND_EXPR"
        both += list(own.bool_expr.args) if conjuncts else [own]
    both += list(demanded.bool_expr.args)[1:]
    if len(both) == 1:
        select.where_clause.CopyFrom(both[0])
        return
    kept = [type(demanded)() for _ in both]
    for mine, one in zip(kept, both, strict=True):
        mine.CopyFrom(one)
    del demanded.bool_expr.args[:]
    demanded.bool_expr.args.extend(kept)
    select.where_clause.CopyFrom(demanded)


def _share(select: Any, alias: str) -> str | None:
    """Lock the rows that are read, unless the statement does; return the clause for it."""
    for lock in of_type(select, "LockingClause", skip=("SelectStmt",)):
        names = {one.range_var.relname for one in lock.locked_rels}
        if not names or alias in names:
            return None
    clause = f"for share of {quoted(alias)}"
    locking = grammar.parse(f"select from pg_catalog.pg_class {clause}")[0].node.select_stmt
    select.locking_clause.append(locking.locking_clause[0])
    return clause


def _written(tree: Any, text: str) -> str:
    """Return the text of a parse tree: the one given, if it reads so, else one made of the tree."""
    for one in (text, grammar.deparse(tree)):
        try:
            if one and shape(grammar.parse(one)[0].node) == shape(tree):
                return one
        except GrammarError:
            continue
    raise NotBatched(
        "the statement cannot be written with a range of keys",
        "write it in plainer words: it is not certain that the range would be added to it",
    )
