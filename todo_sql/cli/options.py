"""The options that several commands share, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from typer import Option

Format = Annotated[Literal["text", "github"], Option(help="How findings are printed.")]
Migrations = Annotated[str | None, Option(metavar="DIR", help="Another folder of migrations.")]
Queries = Annotated[Path | None, Option(metavar="DIR", help="Another folder of queries.")]
Offline = Annotated[
    bool, Option("--offline", help="Read the cache in queries/.cache; ask no server.")
]
OnlyCheck = Annotated[
    bool, Option("--check", help="Write nothing; exit 1 if something would change.")
]
WaitForMigrator = Annotated[
    float | None,
    Option(metavar="SECONDS", min=0, help="How long to wait for another migrator."),
]
