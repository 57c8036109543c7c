"""The source of `models.py`: rows, parameter models, sets of parameters. Pure.

A CHECK constraint is enforced where values come in: on parameter models. On rows it is
JSON schema only, so that a row that an older or newer rule allowed never breaks a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import product

from todo_sql.compiler.constraints import Constraint
from todo_sql.compiler.described import (
    Described,
    DescribedColumn,
    DescribedParameter,
    RowModel,
    pascal,
)
from todo_sql.compiler.generating import layout
from todo_sql.compiler.generating.imports import RUNTIME, Imports
from todo_sql.compiler.generating.layout import WIDTH, ModelGroup, header, lay_out
from todo_sql.compiler.python_types import WORD, PythonType, members, quoted

_TOKEN = re.compile(rf"{WORD.pattern}|.", re.DOTALL)
_CONSTRAINED = frozenset(("str", "int", "float", "Decimal"))


def render(described: list[Described], shown: str, own: str | None) -> str | None:
    """Return the text of `models.py`, or None where no query needs a model."""
    fields = {field.name for entry in described for one in entry.row_models for field in one.fields}
    fields |= {one.name for entry in described for one in entry.parameters}
    names = {name for entry in described for name in class_names(entry)}
    imports = Imports(own, names | fields, here=".models")
    fields.add("model_config")  # in a class, its fields hide classes of their names
    inner = {one.model for entry in described for one in entry.nested}
    inner |= {name for entry in described for name, *_ in entry.enums}
    aliases = {name: imports.alias(name) for name in sorted(inner & fields)}
    classes, needed = _classes(described, imports)
    if not classes:
        return None
    lines = [*header(f"{shown}/"), '"""What the named queries take and return."""', ""]
    lines += [imports.future(), "", *imports.lines()]
    for name in _in_order(sorted(classes), needed):
        lines += ["", "", *classes[name]]
        lines += ["", "", f"{aliases[name]} = {name}"] if name in aliases else []
    return "\n".join(lines) + "\n"


def _classes(
    described: list[Described], imports: Imports
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return the classes with their lines, and of each those that its fields have."""
    classes: dict[str, list[str]] = {}
    needed: dict[str, list[str]] = {}
    for enum, shown_type, labels in sorted({one for entry in described for one in entry.enums}):
        classes[enum] = _enum(enum, shown_type, labels, imports)
    for entry in described:
        for model in entry.row_models:
            if model.name not in classes:
                classes[model.name] = _row(model, entry, imports)
                inner = {name for one in model.fields for _, name in one.python.imports}
                needed[model.name] = sorted(inner)
        for name, write in (
            (entry.query.params_model, _parameters),
            (entry.parameters_type, _set_of_parameters),
        ):
            if name and name not in classes:
                classes[name] = write(name, entry, imports)
    return classes, needed


def _in_order(names: Iterable[str], needed: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the names of classes, each behind those that its fields have."""
    ordered: dict[str, None] = {}

    def put(name: str, around: frozenset[str]) -> None:
        for inner in needed.get(name, ()):
            if inner in known and inner not in ordered and inner not in around:
                put(inner, around | {name})
        ordered[name] = None

    known = list(names)
    for name in known:
        put(name, frozenset((name,)))
    return list(ordered)


def _row(model: RowModel, entry: Described, imports: Imports) -> list[str]:
    tables = {column.origin.table: column.origin for column in model.fields if column.origin}
    doc = f"A row of `{entry.query.name}`."
    if model.path:
        doc = f"`{model.path}` in a row of `{entry.query.name}`."
    named = entry.query.models.get(model.path) if model.path else entry.query.model
    if len(tables) == 1 and named:
        (table,) = tables.values()
        doc = (table.table_comment or "").strip() or f"A row of `{table.table}`."
    fields = {column.name: column.python for column in model.fields}
    lines = _head(model.name, doc, fields, "frozen=True", imports)
    for column in model.fields:
        lines += _field(column, imports)
    return lines


def _enum(name: str, shown: str, labels: tuple[str, ...], imports: Imports) -> list[str]:
    """Return the class of an enum of PostgreSQL."""
    return [
        f"class {name}({imports.name('enum', 'StrEnum')}):",
        *layout.docstring(f"The labels of `{shown}`.", "    "),
        "",
        *(f"    {member} = {quoted(label)}" for label, member in members(labels).items()),
    ]


def _head(
    name: str, doc: str, fields: Mapping[str, PythonType], option: str, imports: Imports
) -> list[str]:
    base, config = (imports.name("pydantic", one) for one in ("BaseModel", "ConfigDict"))
    needed = {  # by what stands in one of the types
        "ange[": ["arbitrary_types_allowed=True"],
        "Decimal": ["allow_inf_nan=True"],  # as numeric does
        "bytes": ['ser_json_bytes="base64"', 'val_json_bytes="base64"'],
    }
    options = [option]
    for word, their in needed.items():
        if any(word in python.text for python in fields.values()):
            options += their
    if any(field.startswith("model_") for field in fields):
        options.append("protected_namespaces=()")
    lines = [f"class {name}({base}):", *layout.docstring(doc, "    "), ""]
    group = ModelGroup(f"model_config = {config}(", tuple(options), ")")
    return [*lines, *lay_out(group, "    "), ""]


def _field(column: DescribedColumn, imports: Imports) -> list[str]:
    name = column.name
    constraint = column.origin.constraint if column.origin else Constraint()
    schema = constraint.json_schema() if column.python.text in _CONSTRAINED else {}
    end = " | None" if column.nullable else ""
    if schema:
        items = tuple(f"{quoted(key)}: {_json(value)}" for key, value in schema.items())
        extra = ModelGroup("json_schema_extra={", items, "}")
        field = ModelGroup(f"{imports.name('pydantic', 'Field')}(", (extra,), ")")
        group = _with(imports, imports.type(in_json(column.python)), field)
        lines = _annotated(name, group, end)
    else:
        lines = [f"    {name}: {imports.type(in_json(column.annotation))}"]
    if column.origin and column.origin.comment:
        lines += layout.docstring(column.origin.comment, "    ")
    return lines


def _annotated(name: str, group: ModelGroup, end: str) -> list[str]:
    """Return the lines of a field, in parentheses where a union doesn't fit on one."""
    flat = f"    {name}: {group.flat()}{end}"
    if len(flat) <= WIDTH:
        return [flat]
    if not end:
        return lay_out(ModelGroup(f"{name}: {group.head}", group.items, group.tail), "    ")
    return [f"    {name}: (", *lay_out(group, "        "), f"        {end.strip()}", "    )"]


def _with(imports: Imports, *items: str | ModelGroup) -> ModelGroup:
    return ModelGroup(f"{imports.name('typing', 'Annotated')}[", items, "]")


def in_json(python: PythonType) -> PythonType:
    """Return the type of a field of a row, which says how it is written to JSON."""
    known = {name for _, name in python.imports}
    if not {"AsText", "Float"}.isdisjoint(known):
        return python
    kinds = {name for module, name in python.imports if module.startswith("psycopg.types.")}
    text, used = "", set()
    ranges: list[int] = []  # at which depths of brackets one ends
    depth = 0
    for token in _TOKEN.findall(python.text):
        depth += (token == "[") - (token == "]")
        if token in kinds and not ranges:
            used.add("AsText")
            ranges.append(depth)
            text += f"AsText[{token}"
        elif token == "float" and not ranges:
            used.add("Float")
            text += "Float"
        elif token == "]" and ranges == [depth]:
            ranges.pop()
            text += "]]"
        else:
            text += token
    return replace(python, text=text, imports=python.imports | {(RUNTIME, one) for one in used})


def _json(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(quoted(str(item)) for item in value)}]"
    return repr(value)


def _parameters(name: str, entry: Described, imports: Imports) -> list[str]:
    """Return the class of a parameter model, which enforces what CHECK constraints say."""
    some = "Some parameters" if entry.query.params_fields else "The parameters"
    doc = f"{some} of `{entry.query.name}`."
    fields = {parameter.name: parameter.python for parameter in entry.model_parameters}
    lines = _head(name, doc, fields, 'extra="forbid"', imports)
    for parameter in entry.model_parameters:
        text: str | ModelGroup = imports.type(parameter.python.sequence())
        target = parameter.target if parameter.python.text in _CONSTRAINED else None
        if target and (bounds := target.constraint.arguments()):
            shown = ", ".join(f"{name}={value!r}" for name, value in bounds.items())
            text = _with(imports, text, f"{imports.name('pydantic', 'Field')}({shown})")
        lines += _constrained_field(parameter, text, imports)
        if parameter.target and parameter.target.comment:
            lines += layout.docstring(parameter.target.comment, "    ")
    choices = [choice for choice in entry.query.choices if fields.keys() >= set(choice)]
    if choices:
        after = imports.name("pydantic", "model_validator")
        given = [ModelGroup("(", tuple(map(quoted, choice)), ")") for choice in choices]
        call = f"return {imports.name(RUNTIME, 'exactly_one')}("
        lines += [
            "",
            f'    @{after}(mode="after")',
            f"    def _exactly_one(self) -> {imports.name('typing', 'Self')}:",
            *lay_out(ModelGroup(call, ("self", *given), ")"), "        "),
        ]
    return lines


def _constrained_field(
    parameter: DescribedParameter, text: str | ModelGroup, imports: Imports
) -> list[str]:
    name = parameter.name
    flat = text if isinstance(text, str) else text.flat()
    union = " | None" if parameter.nullable else ""
    if parameter.optional:
        skipped = imports.name("pydantic.json_schema", "SkipJsonSchema")
        union = f" | {skipped}[{imports.name(RUNTIME, 'Unset')}]{union}"
        head = f"{name}: {flat}{union} = {imports.name('pydantic', 'Field')}("
        unset = f"default_factory=lambda: {imports.name(RUNTIME, 'UNSET')}"
        return lay_out(ModelGroup(head, (unset,), ")"), "    ")
    end = "" if parameter.default is None else f" = {imports.type(parameter.default_value)}"
    line = f"    {name}: {flat}{union}{end}"
    if isinstance(text, str) or len(line) <= WIDTH:
        return [line]
    return _annotated(name, text, f"{union}{end}")


def _set_of_parameters(name: str, entry: Described, imports: Imports) -> list[str]:
    """Return the class of one of many sets of parameters: a plain dict for a type checker.

    Of a choice (``-- one of:``) each way to make it is a class, and the name is their union.
    """
    doc = f"One set of parameters of `{entry.query.name}`."
    ways = entry.choices(entry.own_parameters)
    if not ways:
        return _typed_dict(name, doc, entry.own_parameters, imports)
    lines, made = [], []
    for way, chosen in zip(ways, product(*entry.query.choices), strict=True):
        by = "And".join(pascal(one) for one in chosen)
        made.append(imports.define(f"_{name}By{by}"))
        given = " and ".join(f"`{one}`" for one in chosen)
        doc = f"One set of parameters of `{entry.query.name}`, by {given}."
        lines += [*_typed_dict(made[-1], doc, way, imports), "", ""]
    alias = f"{name}: {imports.name('typing', 'TypeAlias')} = "
    flat = alias + " | ".join(made)
    if len(flat) <= WIDTH:
        return [*lines, flat]
    return [*lines, f"{alias}(", f"    {made[0]}", *(f"    | {one}" for one in made[1:]), ")"]


def _typed_dict(
    name: str, doc: str, parameters: list[DescribedParameter], imports: Imports
) -> list[str]:
    base = imports.name("typing", "TypedDict")
    lines = [f"class {name}({base}):", *layout.docstring(doc, "    "), ""]
    for parameter in parameters:
        python = parameter.python.sequence()
        text = imports.type(python.optional() if parameter.nullable else python)
        if parameter.may_be_left_out:
            text = f"{imports.name('typing', 'NotRequired')}[{text}]"
        lines.append(f"    {parameter.name}: {text}")
        if parameter.target and parameter.target.comment:
            lines += layout.docstring(parameter.target.comment, "    ")
    return lines


def class_names(entry: Described) -> set[str]:
    """Return the names of the classes that a query needs in `models.py`."""
    names = [entry.query.params_model, entry.parameters_type]
    names += [name for name, *_ in entry.enums]
    names += [model.name for model in entry.row_models]
    return {name for name in names if name}
