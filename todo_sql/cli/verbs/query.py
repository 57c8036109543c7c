"""`todo-sql query`: run one named query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from todo_sql.cli.context import Context
from todo_sql.cli.options import Arguments, query_names
from todo_sql.cli.screen import count_of
from todo_sql.database.query import Query, QueryFile
from todo_sql.errors import UsageError
from todo_sql.queries.mistakes import did_you_mean

if TYPE_CHECKING:
    from todo_sql.compiler.described import Described
    from todo_sql.config import Config
    from todo_sql.database.session import Session
    from todo_sql.queries.loader import QuerySet
    from todo_sql.queries.named import NamedQuery


def command(
    context: Context,
    name: Annotated[
        str, Argument(metavar="NAME", help="The query's name.", autocompletion=query_names)
    ],
    arguments: Arguments = None,
    role: Annotated[
        str | None, Option(metavar="ROLE", help="Run a query without tenant as this role.")
    ] = None,
) -> None:
    """Run one named query and print its rows as a table, or as JSON.

    The tenant parameter, such as user_id=u1, chooses the tenant whose rows are seen.
    """
    from todo_sql.compiler.values import parse_arguments
    from todo_sql.database.connect import Database
    from todo_sql.queries.loader import load_folder

    config = context.config
    queries = load_folder(config.queries, config.root)
    entry = described_query(config, queries, name)
    values = parse_arguments(entry, arguments or [])
    with Database.connect(context.url(), min_size=1, max_size=1) as database:
        if entry.tenant and entry.tenant_parameter:
            session = database.as_user(values.pop(entry.tenant_parameter, None))
        else:
            session = database.session(role)
        result = _run(session, entry, _query(entry, queries, config), values)
    _show(context, entry, result)


def described_query(config: Config, queries: QuerySet, name: str) -> Described:
    """Describe one query of a folder.

    Raises:
        UsageError: There is no such query; the message names the likeliest.
        FindingsError: The query is wrong.
    """
    from todo_sql.compiler.describe import describe
    from todo_sql.compiler.scratch import connect_migrated

    query = find_query(queries, name)
    with connect_migrated(config) as connection:
        return describe(connection, {name: query}, config)[0]


def find_query(queries: QuerySet, name: str) -> NamedQuery:
    """Return a query of a folder.

    Raises:
        UsageError: There is no such query; the message names the likeliest.
    """
    if name in queries:
        return queries[name]
    fix = did_you_mean(name, queries, "see `todo-sql describe` for the queries")
    wrong = len(queries.findings)
    cause = f"{wrong} mistake{'s' if wrong > 1 else ''} in the query files may hide it"
    raise UsageError(f"there is no query `{name}`", cause=cause if wrong else None, fix=fix)


def _query(entry: Described, queries: QuerySet, config: Config) -> Query[Any]:
    file = QueryFile(None, "", tenant=config.tenant)
    file.named = queries  # read already
    return file.query(
        entry.query.name,
        row=dict if entry.columns else None,
        parameters={one.name: one.pg_type for one in entry.parameters if one.pg_type},
        written=entry.written,
        nullable=[one.name for one in entry.parameters if one.nullable],
        forms=entry.forms,
        read_only=entry.read_only,
        leaves=entry.leaves,
        repeat=entry.repeat,
        tenant=entry.tenant,
    )


def _run(session: Session, entry: Described, query: Query[Any], values: dict[str, Any]) -> Any:
    from todo_sql.queries.named import Cardinality

    match entry.query.cardinality:
        case Cardinality.ONE:
            return [session.one(query, values)]
        case Cardinality.OPTIONAL:
            row = session.optional(query, values)
            return [] if row is None else [row]
        case Cardinality.EXECROWS:
            return session.execrows(query, values)
        case Cardinality.PAGE:
            return session.page(query, values).items
        case Cardinality.EXEC | Cardinality.COPYFROM | Cardinality.BATCH:
            session.execute(query, values)  # of the last two one row of what they do to many
            return None
    return session.many(query, values)


def _show(context: Context, entry: Described, result: Any) -> None:
    output = context.output
    if output.json:
        from pydantic_core import to_jsonable_python

        document: dict[str, Any] = {"query": entry.query.name}
        if isinstance(result, list):
            document["rows"] = to_jsonable_python(result, fallback=str)
        elif result is not None:
            document["affected"] = result
        output.document(document)
    elif isinstance(result, list):
        names = [column.name for column in entry.columns]
        output.out.table(names, [[_cell(row[name]) for name in names] for row in result])
        output.message(count_of(len(result), "row"))
    elif result is None:
        output.message("done")
    else:
        output.message(f"{count_of(result, 'row')} affected")


def _cell(value: Any) -> object:
    import json

    if isinstance(value, (dict, list)):
        return json.dumps(value, default=str, ensure_ascii=False)
    return value if value is None or isinstance(value, (str, int, float)) else str(value)
