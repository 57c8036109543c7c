"""The options that several commands share, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

Format = Annotated[Literal["text", "github"], Option(help="How findings are printed.")]
Migrations = Annotated[str | None, Option(metavar="DIR", help="Another folder of migrations.")]
Queries = Annotated[Path | None, Option(metavar="DIR", help="Another folder of queries.")]
Arguments = Annotated[
    list[str] | None,
    Argument(metavar="KEY=VALUE", help="Its parameters; null is NULL, lists are JSON."),
]
Offline = Annotated[
    bool, Option("--offline", help="Read the cache in queries/.cache; ask no server.")
]
OnlyCheck = Annotated[
    bool, Option("--check", help="Write nothing; exit 1 if something would change.")
]
Yes = Annotated[bool, Option("--yes", help="Do not ask.")]
AcrossMajors = Annotated[
    bool, Option("--across-majors", help="Try on another major version than the target's.")
]
NoDataChecks = Annotated[
    bool, Option("--no-data-checks", help="Do not ask whether the live rows fit.")
]
WaitForServer = Annotated[
    float | None,
    Option(
        metavar="SECONDS", min=0, help="How long to wait for the server and for another migrator."
    ),
]
WaitForMigrator = Annotated[
    float | None,
    Option(metavar="SECONDS", min=0, help="How long to wait for another migrator."),
]
