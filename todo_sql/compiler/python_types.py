"""Which Python type a PostgreSQL type becomes. Pure.

What psycopg loads is what a row holds, so this table follows psycopg's adapters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from psycopg import postgres

from todo_sql.compiler.schema import Schema, Type
from todo_sql.queries.mistakes import not_a_name
from todo_sql.wire.loaders import Form


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of an array beyond its type.

    Attributes:
        nulls: Whether its elements may be None.
        depth: How deep it is nested, as declared.
    """

    nulls: bool = True
    depth: int = 1


WORD = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\W\d]\w*""")


@dataclass(frozen=True, slots=True)
class PythonType:
    """A Python annotation with the imports it needs.

    Attributes:
        text: The annotation, such as ``list[datetime]``.
        imports: Pairs of module and name.
        mapped: Whether the configuration named it, so that a value has yet to become one.
        enums: The classes of PostgreSQL's enums in it, each with the type's name and labels.
    """

    text: str
    imports: frozenset[tuple[str, str]] = frozenset()
    mapped: bool = False
    enums: frozenset[tuple[str, str, tuple[str, ...]]] = frozenset()

    def optional(self) -> PythonType:
        """Return the type that takes None, too."""
        if self.text in ("Any", "None") or self.text.endswith("| None"):
            return self
        return replace(self, text=f"{self.text} | None")

    def listed(self, shape: Shape = Shape(nulls=False)) -> PythonType:
        """Return a list of this, or a list of lists."""
        text = self.optional().text if shape.nulls else self.text
        return replace(self, text="list[" * shape.depth + text + "]" * shape.depth)

    def sequence(self) -> PythonType:
        """Return what may be given where this is sent: for each list any sequence."""
        text = self.renamed(lambda word: "Sequence" if word == "list" else word)
        if self.mapped or text == self.text:
            return self
        return replace(self, text=text, imports=self.imports | {("collections.abc", "Sequence")})

    def renamed(self, name: Callable[[str], str]) -> str:
        """Return the annotation with other names; what stands in strings stays."""
        return WORD.sub(
            lambda found: found[0] if found[0][0] in "\"'" else name(found[0]), self.text
        )


def named(words: str) -> PythonType:
    """Return the type that a configuration names, such as ``list[app.models.Task] | None``.

    A name that begins with a dot is one of the generated package: ``.models.Task``.
    """
    imports = set()

    def shorten(found: re.Match[str]) -> str:
        module, _, name = found[0].rpartition(".")
        imports.add((module, name))
        return name

    text = re.sub(r"\.?[A-Za-z_]\w*(?:\.\w+)*\.\w+|\.\w+", shorten, words)
    return PythonType(text, frozenset(imports), mapped=True)


_FLAT = Shape()
ANY = PythonType("Any", frozenset({("typing", "Any")}))
_DECIMAL = PythonType("Decimal", frozenset({("decimal", "Decimal")}))


def _from(module: str, *names: str) -> PythonType:
    return PythonType(" | ".join(names), frozenset((module, name) for name in names))


_BASE = {
    "bool": PythonType("bool"),
    **dict.fromkeys(("int2", "int4", "int8", "oid"), PythonType("int")),
    **dict.fromkeys(("float4", "float8"), PythonType("float")),
    **dict.fromkeys(
        (
            *("text", "varchar", "bpchar", "char", "name", "money", "xml", "unknown"),
            *("bit", "varbit", "macaddr", "macaddr8", "tsvector", "tsquery", "jsonpath"),
            *("regclass", "regtype", "regproc", "regprocedure", "regrole", "regnamespace"),
            *("regoper", "regoperator", "regcollation", "regdictionary", "regconfig", "aclitem"),
            *("pg_lsn", "tid", "cid", "xid", "xid8", "int2vector", "oidvector", "refcursor"),
            *("pg_snapshot", "txid_snapshot"),
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
# Every class that the type of a column or a parameter may name, but for those of the project.
IMPORTED = frozenset(
    (
        *(pair for python in _BASE.values() for pair in python.imports),
        *(("typing", name) for name in ("Any", "Literal")),
        ("collections.abc", "Sequence"),
        ("psycopg.types.range", "Range"),
        ("psycopg.types.multirange", "Multirange"),
    )
)
# What an annotation may hold beside the class of an enum, which is called otherwise then.
_IN_ANNOTATIONS = frozenset({"AsText", "Float", *(name for _, name in IMPORTED)})
# Of PostgreSQL's own extensions, whose values are texts on both sides.
_EXTENSIONS = frozenset(("citext", "ltree", "lquery", "ltxtquery"))
_RANGES = {"r": "Range", "m": "Multirange"}


@dataclass(frozen=True, slots=True)
class Choices:
    """What a project or a place chooses of Python's types.

    Attributes:
        overrides: Dotted Python paths by the name of a type, from the configuration.
        enums: Whether an enum is a class of its own.
        tuples: Whether a composite is a tuple of its fields, as where it is sent.
    """

    overrides: Mapping[str, str]
    enums: bool = False
    tuples: bool = False


def python_type(
    oid: int, schema: Schema, choices: Choices, shape: Shape = _FLAT
) -> PythonType | None:
    """Return the Python type of a PostgreSQL type, or None if there is no honest one."""
    found = schema.types.get(oid)
    if found is None:
        return None
    overrides = choices.overrides
    path = overrides.get(found.shown) or overrides.get(f"{found.schema}.{found.name}")
    if path:
        return named(path)
    if found.element:
        if choices.tuples and schema.is_array(found.element):
            return None  # each a text of its own within the text, which nothing here writes
        element = python_type(found.element, schema, choices)
        return element.listed(shape) if element else None
    if found.kind == "d":
        return python_type(found.base, schema, choices, shape)
    if found.kind == "e":
        return _enum(found) if choices.enums else literal(found.labels)
    if found.kind == "c":
        return _tuple(found, schema, choices) if choices.tuples else None
    if found.kind in _RANGES:
        return _range(found, schema, choices)
    if found.kind == "b" and found.name in _EXTENSIONS:
        return PythonType("str")
    return _BASE.get(found.name) if found.schema == "pg_catalog" else None


def _range(found: Type, schema: Schema, choices: Choices) -> PythonType | None:
    name, base = _RANGES[found.kind], schema.types.get(found.base)
    bound = python_type(found.base, schema, choices)
    if bound is None or base is None or base.element or base.relation:
        return None
    kinds = bound.imports | {(f"psycopg.types.{name.lower()}", name)}
    return PythonType(f"{name}[{bound.text}]", kinds, bound.mapped, bound.enums)


def _tuple(found: Type, schema: Schema, choices: Choices) -> PythonType | None:
    """Return a composite as the tuple of its fields, each of which may be NULL."""
    columns = schema.relations[found.relation].columns.values()
    fields = [
        python_type(one.type, schema, choices, Shape(depth=schema.depth(one.type, one.dimensions)))
        for one in columns
    ]
    known = [one.optional() for one in fields if one is not None]
    if len(known) < len(fields):
        return None
    return PythonType(
        f"tuple[{', '.join(one.text for one in known) or '()'}]",
        frozenset().union(*(one.imports for one in known)),
        enums=frozenset().union(*(one.enums for one in known)),
    )


def _enum(found: Type) -> PythonType:
    """Return the class of an enum, called after it, and after its schema if that is not known."""
    words = re.split(r"\W+|_", unicodedata.normalize("NFKC", found.shown.replace('"', "")))
    name = "".join(word[:1].upper() + word[1:] for word in words if word)
    if not_a_name(name) or name in _IN_ANNOTATIONS:
        name = f"Enum{name}" if f"Enum{name}".isidentifier() else "Enum"
    return PythonType(
        name, frozenset({(".models", name)}), enums=frozenset({(name, found.shown, found.labels)})
    )


def members(labels: tuple[str, ...]) -> dict[str, str]:
    """Return what the labels of an enum are called as members of its class."""
    found: dict[str, str] = {}
    for number, label in enumerate(labels, start=1):
        word = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", label)).strip("_").upper()
        name = word if word.isidentifier() and not not_a_name(word) else f"LABEL_{word or number}"
        name = name if name.isidentifier() else f"LABEL_{number}"
        while name in found.values():
            name = f"{name}_{number}"
        found[label] = name
    return found


def form(oid: int, schema: Schema) -> Form | None:
    """Return how values of a type are loaded that psycopg does not know; None: it knows it.

    The scalars that it does not know, such as an enum, it loads as texts.
    """
    found = schema.types.get(oid)
    if found is None or _is_known(found):
        return None
    shape = _shape(oid, schema)
    return None if isinstance(shape, str) and " " not in shape else shape


def written(oid: int, schema: Schema, depth: int = 1) -> Form | None:
    """Return how values of a type are written; None: psycopg knows it by its name.

    Args:
        depth: How deep an array is nested.
    """
    found = schema.types.get(oid)
    while found is not None and found.element:
        found = schema.types.get(found.element)
    if found is None or _is_known(found):
        return None
    return _nested(_shape(oid, schema, deep=True), depth)


def _is_known(found: Type) -> bool:
    """Whether a type is one of PostgreSQL's own that psycopg knows, as most of them are."""
    own = found.schema == "pg_catalog" and not found.relation
    return own and postgres.types.get(found.oid) is not None


def _nested(form: Form, depth: int) -> Form:
    """Return the form of an array of more dimensions."""
    for _ in range(depth - 1):
        form = [form]
    return form


def _shape(oid: int, schema: Schema, *, deep: bool = False) -> Form:
    """Return the form of a type; `deep`: with the dimensions that fields declare, to write them."""
    found = schema.types[oid]
    if found.element:
        return [_shape(found.element, schema, deep=deep)]
    if found.kind == "d":
        return _shape(found.base, schema, deep=deep)
    if found.kind == "c":
        fields: dict[str, Form] = {}
        for one in schema.relations[found.relation].columns.values():
            depth = schema.depth(one.type, one.dimensions) if deep else 1
            fields[one.name] = _nested(_shape(one.type, schema, deep=deep), depth)
        return fields
    if found.schema == "pg_catalog":
        return found.name if postgres.types.get(found.name) else "text"
    if found.kind in _RANGES:
        return f"{_shape(found.base, schema)} {_RANGES[found.kind].lower()}"
    return "box" if found.delimiter == ";" else "text"  # a text, but for what is between two


def literal(values: tuple[str, ...]) -> PythonType:
    """Return a Literal of strings; of None where there are none, as of an enum without labels."""
    body = ", ".join(map(quoted, values)) or "None"
    return PythonType(f"Literal[{body}]", frozenset({("typing", "Literal")}))


def narrowed(python: PythonType, values: tuple[str, ...]) -> PythonType:
    """Return a text, or a list of texts, as one of some values."""
    narrow = literal(values)
    kinds = {"str": narrow, "list[str]": narrow.listed(), "list[str | None]": narrow.listed(_FLAT)}
    return kinds.get(python.text, python)


def quoted(text: str) -> str:
    """Return a string literal as a formatter would write it."""
    shown = repr(text)
    return f'"{shown[1:-1]}"' if shown.startswith("'") and '"' not in shown else shown


def modifier(found: Type, typmod: int) -> str:
    """Return a type modifier as `format_type` writes it, such as ``(10,2)``."""
    if typmod < 0 or found.schema != "pg_catalog":
        return ""
    if found.name in ("varchar", "bpchar"):
        return f"({typmod - 4})"
    if found.name == "numeric":
        return f"({(typmod - 4 >> 16) & 0xFFFF},{(typmod - 4) & 0x7FF})"
    return ""
