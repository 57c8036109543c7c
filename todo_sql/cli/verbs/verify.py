"""`todo-sql verify`: prove on a scratch database that every migration can be undone."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from todo_sql.cli.context import Context
from todo_sql.cli.options import Format
from todo_sql.cli.screen import count_of
from todo_sql.errors import ExitCode, TodoSqlError

if TYPE_CHECKING:
    from todo_sql.review.verify import Proof


_OUTCOMES = ("reversible", "irreversible", "repeatable", "ordered", "different", "failed")


def command(context: Context, format: Format = "text") -> ExitCode:
    """Apply, roll back and apply every migration on a scratch database, with rows in place."""
    from todo_sql.compiler.scratch import empty_database, scratch_server
    from todo_sql.migrations.files.beside import load_project
    from todo_sql.migrations.files.statements import check
    from todo_sql.review.phase_order import PHASES
    from todo_sql.review.verify import verify

    config, output = context.config, context.output
    output.annotating = format == "github"
    migrations = load_project(config)
    check(migrations)
    proofs: list[Proof] = []

    def told(proof: Proof) -> None:
        proofs.append(proof)
        if proof.outcome in ("reversible", "repeatable", "ordered"):
            output.detail(f"{proof.outcome:<12} {proof.id}")
        else:
            style = "cyan" if proof.outcome == "irreversible" else "bold red"
            line = f" {proof.id}  {proof.reason or ''}".rstrip()
            output.message((f"{proof.outcome:<12}", style), line)
        for note in proof.notes:
            output.detail(f"  {note}")

    stopped: TodoSqlError | None = None
    try:
        verify(partial(empty_database, scratch_server(config)), migrations, told)
    except TodoSqlError as error:  # what was proved before it is reported all the same
        stopped = error
    findings = [finding for proof in proofs for finding in proof.findings]
    if output.json:
        fields = ("id", "outcome", "reason", "notes")
        proved = [{name: getattr(proof, name) for name in fields} for proof in proofs]
        document = {"migrations": proved, "findings": findings}
        if stopped:
            output.beside_error = document
        else:
            output.document(document)
    else:
        output.findings(findings, format)
    counts = Counter[str](proof.outcome for proof in proofs)
    said = ", ".join(f"{counts[outcome]} {outcome}" for outcome in _OUTCOMES if counts[outcome])
    number = sum(proof.id != PHASES for proof in proofs)
    output.message(f"{count_of(number)}: {said or 'nothing to prove'}")
    if stopped:
        raise stopped
    wrong = any(finding.severity == "error" for finding in findings)
    return ExitCode.FINDINGS if wrong else ExitCode.OK
