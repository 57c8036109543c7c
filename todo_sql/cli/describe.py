"""`todo-sql describe`: parameters and columns of every query."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from todo_sql.cli.context import Context
from todo_sql.errors import ExitCode

if TYPE_CHECKING:
    from todo_sql.compiler.described import Described


def command(
    context: Context,
    queries: Annotated[
        Path | None, Option(metavar="DIR", help="Another folder of queries.")
    ] = None,
) -> ExitCode:
    """Show every query's parameters and columns with types and nullability."""
    from todo_sql.compiler.project import analyse_folder

    folder = queries.absolute() if queries else None
    _, analysis = analyse_folder(context.config, folder)
    output = context.output
    if output.json:
        output.document(
            {
                "queries": [entry.as_dict() for entry in analysis.described],
                "findings": [finding.as_dict() for finding in analysis.findings],
            }
        )
    else:
        for index, entry in enumerate(analysis.described):
            output.data(("\n" if index else "") + _text(entry))
        if analysis.findings:
            output.data("")
            output.findings(analysis.findings)
    return ExitCode.FINDINGS if analysis.errors else ExitCode.OK


def _text(entry: Described) -> str:
    facts = ["reads only" if entry.read_only else "writes"]
    if entry.tenant:
        facts.append("needs a tenant")
    if entry.variants > 1:
        facts.append(f"{entry.variants} variants")
    place = entry.query.place()
    lines = [
        f"{entry.query.name} :{entry.query.cardinality.value} -> {entry.returns}",
        f"  {place.file}:{place.line}; {', '.join(facts)}",
    ]
    names = [parameter.name for parameter in entry.parameters]
    names += [column.name for column in entry.columns]
    width = max(map(len, names), default=0)
    for parameter in entry.parameters:
        text = f"  :{parameter.name:<{width}}  {parameter.pg_type or 'case'}"
        text += f"  {parameter.annotation.text}"
        if parameter.default is not None:
            text += f" = {parameter.default}"
        lines.append(text + ("  (optional)" if parameter.optional else ""))
    lines += [
        f"   {column.name:<{width}}  {column.pg_type}  {column.annotation.text}"
        for column in entry.columns
    ]
    return "\n".join(lines)
