"""Which Python type a PostgreSQL type becomes. Pure.

What psycopg loads is what a row holds, so this table follows psycopg's adapters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from todo_sql.compiler.schema import Schema, Type


@dataclass(frozen=True, slots=True)
class PythonType:
    """A Python annotation with the imports it needs.

    Attributes:
        text: The annotation, such as ``list[datetime]``.
        imports: Pairs of module and name.
    """

    text: str
    imports: frozenset[tuple[str, str]] = frozenset()

    def optional(self) -> PythonType:
        """Return the type that takes None, too."""
        if self.text in ("Any", "None") or self.text.endswith("| None"):
            return self
        return PythonType(f"{self.text} | None", self.imports)

    def listed(self) -> PythonType:
        """Return a list of this."""
        return PythonType(f"list[{self.text}]", self.imports)


def named(path: str) -> PythonType:
    """Return the type that a configuration names by its dotted path."""
    module, _, name = path.rpartition(".")
    return PythonType(name, frozenset({(module, name)})) if module else PythonType(path)


ANY = PythonType("Any", frozenset({("typing", "Any")}))
_DECIMAL = PythonType("Decimal", frozenset({("decimal", "Decimal")}))


def _from(module: str, *names: str) -> PythonType:
    return PythonType(" | ".join(names), frozenset((module, name) for name in names))


_BASE = {
    **dict.fromkeys(("bool",), PythonType("bool")),
    **dict.fromkeys(("int2", "int4", "int8", "oid"), PythonType("int")),
    **dict.fromkeys(("float4", "float8"), PythonType("float")),
    **dict.fromkeys(
        (
            *("text", "varchar", "bpchar", "char", "name", "money", "xml", "unknown"),
            *("bit", "varbit", "macaddr", "macaddr8", "tsvector", "tsquery", "jsonpath"),
            *("regclass", "regtype", "regproc", "regprocedure", "regrole", "regnamespace"),
            *("regconfig", "pg_lsn", "tid", "cid", "xid", "xid8"),
            *("point", "line", "lseg", "box", "path", "polygon", "circle"),
        ),
        PythonType("str"),
    ),
    "bytea": PythonType("bytes"),
    "numeric": _DECIMAL,
    "json": ANY,
    "jsonb": ANY,
    "date": _from("datetime", "date"),
    "time": _from("datetime", "time"),
    "timetz": _from("datetime", "time"),
    "timestamp": _from("datetime", "datetime"),
    "timestamptz": _from("datetime", "datetime"),
    "interval": _from("datetime", "timedelta"),
    "uuid": _from("uuid", "UUID"),
    "inet": _from("ipaddress", "IPv4Address", "IPv4Interface", "IPv6Address", "IPv6Interface"),
    "cidr": _from("ipaddress", "IPv4Network", "IPv6Network"),
    "void": PythonType("None"),
}
_RANGE = frozenset({("psycopg.types.range", "Range")})
_MULTIRANGE = frozenset({("psycopg.types.multirange", "Multirange")})


def python_type(oid: int, schema: Schema, overrides: Mapping[str, str]) -> PythonType | None:
    """Return the Python type of a PostgreSQL type, or None if there is no honest one.

    Args:
        oid: Of the type.
        schema: The catalog.
        overrides: Dotted Python paths by the name of a type, from the configuration.
    """
    found = schema.types.get(oid)
    if found is None:
        return None
    path = overrides.get(found.shown) or overrides.get(f"{found.schema}.{found.name}")
    if path:
        return named(path)
    if found.element:
        element = python_type(found.element, schema, overrides)
        return element.listed() if element else None
    if found.kind == "d":
        return python_type(found.base, schema, overrides)
    if found.kind == "e":
        return literal(found.labels)
    if found.kind in ("r", "m"):
        bound = python_type(found.base, schema, overrides)
        name, imports = ("Range", _RANGE) if found.kind == "r" else ("Multirange", _MULTIRANGE)
        if bound is None:
            return None
        return PythonType(f"{name}[{bound.text}]", bound.imports | imports)
    return _BASE.get(found.name) if found.schema == "pg_catalog" else None


def literal(values: tuple[str, ...]) -> PythonType:
    """Return a Literal of strings."""
    body = ", ".join(quoted(value) for value in values)
    return PythonType(f"Literal[{body}]", frozenset({("typing", "Literal")}))


def quoted(text: str) -> str:
    """Return a string literal as a formatter would write it."""
    shown = repr(text)
    if shown.startswith("'") and '"' not in shown:
        return f'"{shown[1:-1]}"'
    return shown


def is_json(found: Type | None) -> bool:
    """Whether a type is json or jsonb."""
    return found is not None and found.schema == "pg_catalog" and found.name in ("json", "jsonb")


def modifier(found: Type, typmod: int) -> str:
    """Return a type modifier as `format_type` writes it, such as ``(10,2)``."""
    if typmod < 0 or found.schema != "pg_catalog":
        return ""
    if found.name in ("varchar", "bpchar"):
        return f"({typmod - 4})"
    if found.name == "numeric":
        return f"({(typmod - 4 >> 16) & 0xFFFF},{(typmod - 4) & 0x7FF})"
    return ""
