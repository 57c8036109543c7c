"""``sqlfluff fix`` changes no compiled variant."""

from __future__ import annotations

from pathlib import Path

import pytest

from todo_sql.queries.loader import load_text
from todo_sql.queries.variants import variants
from todo_sql.sql.scanner import COMMENTS, Kind, scan
from todo_sql.sql.source import Source

sqlfluff = pytest.importorskip("sqlfluff")

ROOT = Path(__file__).parent.parent.parent
FILES = sorted((ROOT / "queries").glob("*.sql"))

UNTIDY = Path(__file__).parent / "testdata" / "untidy.sql"


def compiled(text: str) -> dict[tuple[object, ...], list[str]]:
    """Return the tokens of every variant by query and selection; keywords in lower case."""
    found: dict[tuple[object, ...], list[str]] = {}
    for query in load_text(Source("queries/test.sql", text)):
        for variant in variants(query):
            key = (query.name, query.cardinality, variant.given, tuple(variant.cases.items()))
            found[key] = [*variant.parameters, *_tokens(variant.sql)]
    return found


def _tokens(sql: str) -> list[str]:
    return [
        sql[start:end].lower() if kind is Kind.WORD else sql[start:end]
        for kind, start, end in scan(sql)
        if kind not in COMMENTS
    ]


def fixed(text: str) -> str:
    """Return what ``sqlfluff fix`` makes of a text."""
    return str(sqlfluff.fix(text, dialect="postgres", config_path=str(ROOT / ".sqlfluff")))


@pytest.mark.parametrize("file", [*FILES, UNTIDY], ids=lambda file: file.stem)
def test_fix_keeps_every_variant(file: Path) -> None:
    """Trailing comments may move to the line above; they still bind to the same line."""
    text = file.read_text()
    after = fixed(text)
    assert compiled(after) == compiled(text)
    if file == UNTIDY:  # which tests something: directives did move to lines of their own
        alone = [line for line in after.splitlines() if line.lstrip().startswith("-- if:")]
        assert len(alone) > 2
