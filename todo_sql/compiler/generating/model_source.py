"""The source of `models.py`: rows, parameter models, sets of parameters. Pure.

A CHECK constraint is enforced where values come in: on parameter models. On rows it is
JSON schema only, so that a row that an older or newer rule allowed never breaks a list.
"""

from __future__ import annotations

from todo_sql.compiler.constraints import Constraint
from todo_sql.compiler.described import Described, Parameter, ResultColumn
from todo_sql.compiler.generating import layout
from todo_sql.compiler.generating.imports import Imports
from todo_sql.compiler.generating.layout import HEADER, WIDTH, Group, lay_out
from todo_sql.compiler.python_types import PythonType, quoted

_CONSTRAINED = frozenset(("str", "int", "float", "Decimal"))


def render(described: list[Described], shown: str, own: str | None) -> str | None:
    """Return the text of `models.py`, or None where no query needs a model."""
    imports = Imports(own)
    classes: dict[str, list[str]] = {}
    for entry in described:
        if entry.model and entry.model not in classes:
            classes[entry.model] = _row(entry.model, entry, imports)
        name = entry.query.params_model
        if name and name not in classes:
            classes[name] = _parameters(name, entry, imports)
        name = entry.parameters_type
        if name and name not in classes:
            classes[name] = _set_of_parameters(name, entry, imports)
    if not classes:
        return None
    lines = [
        HEADER.format(source=f"{shown}/").rstrip("\n"),
        '"""What the named queries take and return."""',
        "",
        "from __future__ import annotations",
        "",
        *imports.lines(without=".models"),
    ]
    for name in sorted(classes):
        lines += ["", "", *classes[name]]
    return "\n".join(lines) + "\n"


def _row(name: str, entry: Described, imports: Imports) -> list[str]:
    tables = {column.origin.table: column.origin for column in entry.columns if column.origin}
    doc = f"A row of `{entry.query.name}`."
    if len(tables) == 1 and entry.query.model:
        (table,) = tables.values()
        doc = (table.table_comment or "").strip() or f"A row of `{table.table}`."
    lines = _head(name, doc, [column.python for column in entry.columns], "frozen=True", imports)
    for column in entry.columns:
        lines += _field(column, imports)
    return lines


def _head(name: str, doc: str, types: list[PythonType], option: str, imports: Imports) -> list[str]:
    imports.add("pydantic", "BaseModel", "ConfigDict")
    arbitrary = any("ange[" in python.text for python in types)
    options = f"{option}, arbitrary_types_allowed=True" if arbitrary else option
    return [
        f"class {name}(BaseModel):",
        *layout.docstring(doc, "    "),
        "",
        f"    model_config = ConfigDict({options})",
        "",
    ]


def _field(column: ResultColumn, imports: Imports) -> list[str]:
    imports.add_type(column.annotation)
    name = column.name
    constraint = column.origin.constraint if column.origin else Constraint()
    schema = constraint.json_schema() if column.python.text in _CONSTRAINED else {}
    end = " | None" if column.nullable else ""
    if "ange[" in column.python.text:
        lines = _annotated(name, _range(column.python.text, imports), end)
    elif schema:
        imports.add("typing", "Annotated")
        imports.add("pydantic", "Field")
        items = tuple(f"{quoted(key)}: {_json(value)}" for key, value in schema.items())
        field = Group("Field(", (Group("json_schema_extra={", items, "}"),), ")")
        group = Group("Annotated[", (column.python.text, field), "]")
        lines = _annotated(name, group, end)
    else:
        lines = [f"    {name}: {column.annotation.text}"]
    if column.origin and column.origin.comment:
        lines += layout.docstring(column.origin.comment, "    ")
    return lines


def _annotated(name: str, group: Group, end: str) -> list[str]:
    """Return the lines of a field, in parentheses where a union doesn't fit on one."""
    flat = f"    {name}: {group.flat()}{end}"
    if len(flat) <= WIDTH:
        return [flat]
    if not end:
        return lay_out(Group(f"{name}: {group.head}", group.items, group.tail), "    ")
    return [f"    {name}: (", *lay_out(group, "        "), f"        {end.strip()}", "    )"]


def _range(text: str, imports: Imports) -> Group:
    """Return the type of a field that pydantic doesn't know: in JSON it is PostgreSQL's text."""
    imports.add("typing", "Annotated")
    imports.add("pydantic", "PlainSerializer", "WithJsonSchema")
    serializer = 'PlainSerializer(str, when_used="json")'
    items = (text, serializer, 'WithJsonSchema({"type": "string"})')
    return Group("Annotated[", items, "]")


def _json(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(quoted(str(item)) for item in value)}]"
    return repr(value)


def _parameters(name: str, entry: Described, imports: Imports) -> list[str]:
    """Return the class of a parameter model, which enforces what CHECK constraints say."""
    some = "Some parameters" if entry.query.params_fields else "The parameters"
    doc = f"{some} of `{entry.query.name}`."
    types = [parameter.python for parameter in entry.model_parameters]
    lines = _head(name, doc, types, 'extra="forbid"', imports)
    for parameter in entry.model_parameters:
        imports.add_type(parameter.python)
        text: str | Group = parameter.python.text
        bounds = _bounds(parameter)
        if bounds:
            imports.add("typing", "Annotated")
            imports.add("pydantic", "Field")
            field = f"Field({', '.join(bounds)})"
            text = Group("Annotated[", (parameter.python.text, field), "]")
        end = _default(parameter, imports)
        lines += _constrained_field(parameter, text, end)
        if parameter.target and parameter.target.comment:
            lines += layout.docstring(parameter.target.comment, "    ")
    return lines


def _constrained_field(parameter: Parameter, text: str | Group, end: str) -> list[str]:
    name = parameter.name
    union = " | SkipJsonSchema[Unset]" if parameter.optional else ""
    union += " | None" if parameter.nullable else ""
    flat = f"{text if isinstance(text, str) else text.flat()}{union}"
    if parameter.optional:
        return lay_out(
            Group(f"{name}: {flat} = Field(", ("default_factory=lambda: UNSET",), ")"), "    "
        )
    if isinstance(text, str) or len(f"    {name}: {flat}{end}") <= WIDTH:
        return [f"    {name}: {flat}{end}"]
    return _annotated(name, text, f"{union}{end}")


def _bounds(parameter: Parameter) -> list[str]:
    """Return what CHECK constraints say of the column that a parameter is stored in."""
    if parameter.target is None or parameter.python.text not in _CONSTRAINED:
        return []
    arguments = parameter.target.constraint.arguments()
    return [f"{name}={value!r}" for name, value in arguments.items()]


def _default(parameter: Parameter, imports: Imports) -> str:
    if parameter.optional:
        imports.add("pydantic", "Field")
        imports.add("pydantic.json_schema", "SkipJsonSchema")
        imports.add("todo_sql.runtime", "UNSET", "Unset")
        return ""
    return "" if parameter.default is None else f" = {parameter.default_source}"


def _set_of_parameters(name: str, entry: Described, imports: Imports) -> list[str]:
    """Return the class of one of many sets of parameters: a plain dict for a type checker."""
    imports.add("typing", "TypedDict")
    lines = [
        f"class {name}(TypedDict):",
        *layout.docstring(f"One set of parameters of `{entry.query.name}`.", "    "),
        "",
    ]
    for parameter in entry.own_parameters:
        imports.add_type(parameter.annotation)
        text = parameter.annotation.text
        if parameter.optional or parameter.default is not None:
            imports.add("typing", "NotRequired")
            text = f"NotRequired[{text}]"
        lines.append(f"    {parameter.name}: {text}")
        if parameter.target and parameter.target.comment:
            lines += layout.docstring(parameter.target.comment, "    ")
    return lines
