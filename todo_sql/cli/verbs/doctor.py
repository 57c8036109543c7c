"""`todo-sql doctor`: examine a live database."""

from __future__ import annotations

from todo_sql.cli.context import Context
from todo_sql.cli.options import Format
from todo_sql.errors import ExitCode


def command(
    context: Context,
    format: Format = "text",
) -> ExitCode:
    """Examine a live database: isolation, roles, indexes, sequences, partitions, connections.

    Read-only. Each finding comes with the statement that corrects it.
    """
    import psycopg

    from todo_sql.catalog.doctor import CHECKS, examine

    output = context.output
    with psycopg.connect(context.direct_url(), autocommit=True) as connection:
        findings = examine(connection, context.config)
    if output.json:
        output.document({"findings": [finding.as_dict() for finding in findings]})
    else:
        output.findings(findings, format)
    count = len(findings)
    output.message(f"{len(CHECKS)} checks, {count} finding{'' if count == 1 else 's'}")
    serious = any(finding.severity != "info" for finding in findings)
    return ExitCode.FINDINGS if serious else ExitCode.OK
