"""`todo-sql describe`: parameters and columns of queries."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from typer import Argument

from todo_sql.cli.context import Context
from todo_sql.cli.options import Offline, Queries, query_names
from todo_sql.cli.verbs.query import find_query
from todo_sql.errors import ExitCode

if TYPE_CHECKING:
    from todo_sql.compiler.describe import Analysis
    from todo_sql.compiler.described import Described
    from todo_sql.queries.named import NamedQuery


def command(
    context: Context,
    names: Annotated[
        list[str] | None,
        Argument(metavar="[NAME]…", help="Queries; default: all.", autocompletion=query_names),
    ] = None,
    queries: Queries = None,
    offline: Offline = False,
) -> ExitCode:
    """Show parameters and columns of queries with types and nullability."""
    from todo_sql.compiler.project import analyse_folder

    folder = queries.absolute() if queries else None
    found, analysis = analyse_folder(context.config, folder, offline=offline)
    if names:
        analysis = _only([find_query(found, name) for name in names], analysis)
    output = context.output
    if output.json:
        output.document({"queries": analysis.described, "findings": analysis.findings})
    else:
        for index, entry in enumerate(analysis.described):
            output.data(("\n" if index else "") + _text(entry))
        if analysis.findings:
            output.data("")
            output.findings(analysis.findings)
    return ExitCode.FINDINGS if analysis.errors else ExitCode.OK


def _only(queries: list[NamedQuery], analysis: Analysis) -> Analysis:
    """Return what was found out about some of the queries."""
    names = {query.name for query in queries}
    lines = {
        (query.source.file, line)
        for query in queries
        for line in range(query.place().line, query.source.place(query.end).line + 1)
    }
    described = (entry for entry in analysis.described if entry.query.name in names)
    placed = ((one.place, one) for one in analysis.findings if one.place)
    findings = (one for place, one in placed if (place.file, place.line) in lines)
    return replace(analysis, described=tuple(described), findings=tuple(findings))


def _text(entry: Described) -> str:
    facts = ["reads only" if entry.read_only else "writes"]
    if entry.tenant:
        facts.append("needs a tenant")
    if entry.variants > 1:
        facts.append(f"{entry.variants} variants")
    place = entry.query.place()
    lines = [
        f"{entry.query.name} :{entry.query.cardinality.value} -> {entry.returns(entry.row.text)}",
        f"  {place.file}:{place.line}; {', '.join(facts)}",
    ]
    names = [parameter.name for parameter in entry.parameters]
    names += [column.name for column in entry.columns]
    width = max(map(len, names), default=0)
    for parameter in entry.parameters:
        default = "" if parameter.default is None else f" = {parameter.default}"
        text = f"{parameter.pg_type or 'case'}  {parameter.annotation.text}{default}"
        optional = "  (optional)" if parameter.optional else ""
        lines.append(f"  :{parameter.name:<{width}}  {text}{optional}")
    lines += [
        f"   {column.name:<{width}}  {column.pg_type}  {column.annotation.text}"
        for column in entry.columns
    ]
    return "\n".join(lines)
