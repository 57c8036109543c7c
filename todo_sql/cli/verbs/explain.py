"""`todo-sql explain`: the plan of one named query, or the meaning of a code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from todo_sql.cli.context import Context
from todo_sql.cli.options import Arguments, query_names
from todo_sql.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from todo_sql.compiler.described import Described
    from todo_sql.config import Config


def command(
    context: Context,
    name: Annotated[
        str | None,
        Argument(
            metavar="NAME",
            help="A query; or a code such as M232, or the name of a lint rule.",
            autocompletion=query_names,
        ),
    ] = None,
    arguments: Arguments = None,
    generic: Annotated[
        bool, Option("--generic", help="The plan for any value, as a prepared statement has it.")
    ] = False,
    rollback: Annotated[
        bool, Option("--rollback", help="Run a query that writes, and roll it back afterwards.")
    ] = False,
    all: Annotated[bool, Option("--all", help="Print the page on every code and stop.")] = False,
) -> ExitCode:
    """Show the plan of one named query as a tree, with the rows, time and index of each step.

    The query runs, as the tenant's role where it has a tenant; one that writes only with
    --rollback, else its plan is shown without running it. Given a code of a message or the
    name of a lint rule, say what it means, what to do, and which line raises it.
    """
    from todo_sql import codes

    if all:
        context.output.page("codes", codes.page())
        return ExitCode.OK
    if name is None:
        fix = "name a query, a code such as M232, or a lint rule"
        raise UsageError("nothing to explain", fix=fix)
    if not arguments and codes.is_code(name):
        return _meaning(context, name)
    import psycopg

    from todo_sql.cli.verbs.query import described_query
    from todo_sql.compiler.coordinator import is_citus
    from todo_sql.compiler.values import parse_arguments
    from todo_sql.queries.loader import load_folder
    from todo_sql.review.plan_tree import slow_spots, tree

    config, output = context.config, context.output
    entry = described_query(config, load_folder(config.queries, config.root), name)
    values = parse_arguments(entry, arguments or [])
    runs = entry.read_only or rollback
    with psycopg.connect(context.url(), autocommit=True) as connection:
        on_citus = is_citus(connection)
        runs = runs and not on_citus  # whose EXPLAIN ANALYZE is no JSON
        plan = _explain(connection, config, entry, values, generic=generic, runs=runs)
    if output.json:
        output.document({"query": name, "executed": runs, **plan})
        return ExitCode.OK
    output.out.tree(tree(plan["Plan"]))
    if runs:
        planning, execution = plan["Planning Time"], plan["Execution Time"]
        output.data(f"planned in {planning:.3f} ms, run in {execution:.3f} ms")
        for spot in slow_spots(plan["Plan"]):
            output.message(("look", "bold yellow"), f": {spot}")
    elif on_citus:
        output.message("the plan of Citus is shown without running it")
    else:
        output.message("it writes, so it was not run; --rollback runs it and rolls it back")
    return ExitCode.OK


def _meaning(context: Context, word: str) -> ExitCode:
    """Say what a code or a rule means, and where it is raised."""
    from difflib import get_close_matches

    from todo_sql import codes

    output = context.output
    found = codes.find(word)
    if found is None:
        page = codes.elsewhere(word)
        if page is None:
            known = [part for one in codes.all_codes().values() for part in (one.code, one.name)]
            close = get_close_matches(word, [part for part in known if part], n=1, cutoff=0.7)
            raise UsageError(
                f"there is no code or rule `{word}`",
                fix=f"did you mean `{close[0]}`?" if close else "see docs/codes.md for them all",
            )
        if output.json:
            output.document({"rule": word, "page": page})
        else:
            output.data(page)
        return ExitCode.OK
    places = codes.places(found.code)[found.code]
    if output.json:
        said = {name: getattr(found, name) for name in ("code", "name", "title", "text")}
        output.document(said | {"raised_at": places})
        return ExitCode.OK
    named = f" ({found.name})" if found.name else ""
    output.data((f"{found.code} {found.title}{named}", "bold"))
    output.data(found.text)
    output.data("raised in " + ", ".join(f"todo_sql/{place}" for place in places))
    return ExitCode.OK


def _explain(
    connection: Any,
    config: Config,
    entry: Described,
    values: dict[str, Any],
    *,
    generic: bool,
    runs: bool,
) -> dict[str, Any]:
    """Plan the query inside a transaction that is rolled back."""
    import json

    from todo_sql.compiler.coordinator import act_as, explained, is_citus
    from todo_sql.compiler.values import defaults
    from todo_sql.queries.variants import choose

    given = {**defaults(entry), **values}
    variant = choose(entry.query, given)
    types = {one.name: one.pg_type for one in entry.parameters}
    tenant = config.tenant
    if tenant is not None and tenant.parameter not in types:
        types[tenant.parameter] = "text"
    with connection.transaction(force_rollback=True):
        on_citus = is_citus(connection)  # which numbers the row of an insert to plan it
        if entry.read_only or not (runs or on_citus):
            connection.execute("set transaction read only")
        if tenant is not None and entry.tenant:
            value = values.get(tenant.parameter)
            if not value:
                raise UsageError(
                    f"{entry.query.name} needs a tenant", fix=f"add {tenant.parameter}=VALUE"
                )
            act_as(connection, tenant, str(value), citus=on_citus)
        types = {name: types.get(name) or "text" for name in variant.parameters}
        chosen = [given[name] for name in variant.parameters]
        written = [json.dumps(one) if isinstance(one, dict) else one for one in chosen]
        plan: dict[str, Any] = explained(
            connection,
            variant,
            types,
            written,
            generic=generic,
            options="analyze, buffers, format json" if runs else "format json",
        )[0]
    return plan
