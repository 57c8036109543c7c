"""What `-- batch:` and the directives beside it say. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from todo_sql.catalog.names import dotted, quoted

_NAME = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_BATCH = re.compile(
    rf"({_NAME}(?:\s*\.\s*{_NAME})?)(?:\s+by\s+(\(?)\s*({_NAME}(?:\s*,\s*{_NAME})*)\s*(\)?))?",
    re.IGNORECASE,
)
_EACH = re.compile(_NAME)
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_BYTES = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|TB)", re.IGNORECASE)
_UNITS = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40}


@dataclass(frozen=True, slots=True)
class BatchBy:
    """The table by whose key a statement runs in batches.

    Attributes:
        table: Its name, folded as PostgreSQL does.
        schema: Its schema, where the directive names one.
        by: The columns of the key; none: those of the primary key.
    """

    table: str
    schema: str | None = None
    by: tuple[str, ...] = ()

    @property
    def named(self) -> str:
        """The table as SQL names it."""
        return dotted(self.schema, self.table)

    def __str__(self) -> str:
        by = f" by {', '.join(map(quoted, self.by))}" if self.by else ""
        return self.named + by


def read_batch(value: str) -> BatchBy | None:
    """Return what ``orders by id`` means, or None: it means nothing."""
    match = _BATCH.fullmatch(value)
    if match is None or bool(match[2]) != bool(match[4]):
        return None
    *schema, table = (_folded(name) for name in _EACH.findall(match[1]))
    by = tuple(_folded(name) for name in _EACH.findall(match[3] or ""))
    return BatchBy(table, schema[0] if schema else None, by)


def _folded(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def read_share(value: str) -> float | None:
    """Return the share that ``25%`` is, or None for anything else."""
    match = _SHARE.fullmatch(value)
    return float(match[1]) / 100 if match else None


def read_bytes(value: str) -> int | None:
    """Return the bytes that ``16MB`` is, or None for anything else."""
    match = _BYTES.fullmatch(value)
    return round(float(match[1]) * _UNITS[match[2].lower()]) if match else None
