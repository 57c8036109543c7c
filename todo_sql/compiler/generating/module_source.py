"""The source of one module: a handle and a function for each query of a .sql file. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from todo_sql.compiler.described import Described, Parameter
from todo_sql.compiler.generating import layout
from todo_sql.compiler.generating.imports import Imports
from todo_sql.compiler.generating.layout import HEADER, Group, lay_out
from todo_sql.compiler.python_types import PythonType, quoted
from todo_sql.config import Config, Tenant
from todo_sql.queries.named import Cardinality
from todo_sql.sql.source import Source

if TYPE_CHECKING:
    from todo_sql.wire.loaders import Form

_METHODS = {
    Cardinality.ONE: "one",
    Cardinality.OPTIONAL: "optional",
    Cardinality.MANY: "many",
    Cardinality.EXEC: "execute",
    Cardinality.EXECROWS: "execrows",
    Cardinality.PAGE: "page",
    Cardinality.STREAM: "stream",
    Cardinality.COPYFROM: "copyfrom",
    Cardinality.BATCH: "batch_execute",
}


def render(
    stem: str, described: list[Described], source: Source, config: Config, own: str | None
) -> str:
    """Return the text of a module."""
    imports, for_types = Imports(own), Imports(own)
    imports.add("todo_sql.runtime", "QueryFile")
    handles: list[str] = []
    functions: list[str] = []
    for entry in described:
        _note_imports(entry, imports, for_types)
        handles += _handle(entry)
        functions += ["", "", *_functions(entry)]
    if config.tenant is not None:
        imports.add("todo_sql.runtime", "Tenant")
    doc = _file_comment(source) or f"Typed functions for the queries in {source.file}."
    lines = [
        HEADER.format(source=source.file).rstrip("\n"),
        *layout.docstring(doc, ""),
        "",
        "from __future__ import annotations",
        "",
        *imports.lines(),
    ]
    guarded = for_types.lines()
    if guarded:
        lines += ["", "if TYPE_CHECKING:", *(f"    {line}" if line else "" for line in guarded)]
    lines += ["", *_file_handle(f"{stem}.sql", config.tenant), *handles, *functions]
    return "\n".join(lines) + "\n"


def _note_imports(entry: Described, imports: Imports, for_types: Imports) -> None:
    imports.add("todo_sql.runtime", "Query")
    imports.add("typing", "TYPE_CHECKING", "Any", "overload")
    for_types.add("todo_sql.runtime", "AsyncSession")
    for_types.add("todo_sql.runtime", "Session")
    if entry.model:
        imports.add(".models", entry.model)
    else:
        imports.add_type(entry.row)
    if entry.query.cardinality is Cardinality.STREAM:
        for_types.add("todo_sql.runtime", "AsyncRowStream", "RowStream")
    else:
        for_types.add("collections.abc", "Coroutine")
    if entry.query.cardinality is Cardinality.PAGE:
        for_types.add("todo_sql.runtime", "Page")
    if entry.parameters_type:
        for_types.add(".models", entry.parameters_type)
        if entry.is_bulk:
            for_types.add("collections.abc", "Iterable")
        return
    for parameter in entry.own_parameters:
        imports.add_type(parameter.python)
        if parameter.optional:
            imports.add("todo_sql.runtime", "UNSET", "Unset")


def _file_handle(name: str, tenant: Tenant | None) -> list[str]:
    items: list[str | Group] = ["__package__", f'"{name}"']
    if tenant is not None:
        values = (tenant.parameter, tenant.setting, tenant.role)
        items.append(Group("tenant=Tenant(", tuple(f'"{value}"' for value in values), ")"))
    return lay_out(Group("_FILE = QueryFile(", tuple(items), ")"))


def _handle(entry: Described) -> list[str]:
    sent = [parameter for parameter in entry.parameters if parameter.pg_type is not None]
    types = tuple(f'"{parameter.name}": "{parameter.pg_type}"' for parameter in sent)
    items: list[str | Group] = [f'"{entry.query.name}"', f"row={entry.row.text}"]
    items.append(Group("parameters={", types, "}"))
    nullable = tuple(f'"{parameter.name}"' for parameter in sent if parameter.nullable)
    items.append(Group("nullable=[", nullable, "]"))
    if entry.query.cardinality is Cardinality.PAGE:
        keys = tuple(f'"{name}"' for name in entry.settled_keys)
        items.append(Group("not_null=[", keys, "]"))
    if entry.forms:
        items.append(_form("forms=", entry.forms))
    if entry.row.mapped:
        items.append("validated=True")
    if entry.read_only:
        items.append("read_only=True")
    if entry.tenant:
        items.append("tenant=True")
    head = f"_{entry.query.name.upper()}: Query[{entry.row.text}] = _FILE.query("
    return lay_out(Group(head, tuple(items), ")"))


def _form(head: str, form: Form) -> str | Group:
    """Return a form as Python source behind what stands before it."""
    if isinstance(form, str):
        return f'{head}"{form}"'
    if isinstance(form, list):
        return Group(f"{head}[", tuple(_form("", one) for one in form), "]")
    fields = tuple(_form(f"{quoted(name)}: ", one) for name, one in form.items())
    return Group(f"{head}{{", fields, "}")


def _functions(entry: Described) -> list[str]:
    name = entry.query.name
    bulk, model = entry.is_bulk, entry.parameters_type
    names = {parameter.name for parameter in entry.own_parameters}
    handle = "session_" if "session" in names and not model else "session"
    required = [one for one in entry.own_parameters if not one.may_be_left_out]
    ordered = [*required, *(one for one in entry.own_parameters if one.may_be_left_out)]
    arguments: list[str] = [_argument(parameter) for parameter in ordered]
    if bulk:
        arguments = [f"rows: Iterable[{model}]"]
    elif model:
        arguments = [f"params: {model}"]
    elif arguments:
        arguments.insert(0, "*")
    if entry.query.cardinality is Cardinality.PAGE:
        if not arguments or model:
            arguments.append("*")
        arguments.append("cursor: str | None = None")

    def signature(session: str, returns: str, end: str) -> list[str]:
        items = (f"{handle}: {session}", *arguments)
        return lay_out(Group(f"def {name}(", items, f") -> {returns}:"), suffix=end)

    answers = [entry.returns, f"Coroutine[Any, Any, {entry.returns}]"]
    if entry.query.cardinality is Cardinality.STREAM:
        answers = [f"RowStream[{entry.row.text}]", f"AsyncRowStream[{entry.row.text}]"]
    return [
        "@overload",
        *signature("Session", answers[0], " ..."),
        "@overload",
        *signature("AsyncSession", answers[1], " ..."),
        *signature("Session | AsyncSession", "Any", ""),
        *layout.docstring(_documentation(entry, [] if model else ordered), "    "),
        *lay_out(_call(entry, ordered, handle), "    "),
    ]


def _call(entry: Described, ordered: list[Parameter], handle: str) -> Group:
    values: str | Group = Group("{", tuple(f'"{one.name}": {one.name}' for one in ordered), "}")
    defaults = [one for one in ordered if one.default is not None]
    if entry.query.cardinality is Cardinality.COPYFROM:
        values = "rows"
    elif entry.is_bulk:
        shown = "".join(f'"{one.name}": {one.default_source}, ' for one in defaults)
        values = f"({{{shown}**one}} for one in rows)" if defaults else "rows"
        if entry.takes_model:
            values = "map(dict, rows)"
    elif entry.takes_model:
        values = "dict(params)"
    items: tuple[str | Group, ...] = (f"_{entry.query.name.upper()}", values)
    if entry.query.cardinality is Cardinality.PAGE:
        items = (*items, "cursor")
    return Group(f"return {handle}.{_METHODS[entry.query.cardinality]}(", items, ")")


def _documentation(entry: Described, parameters: list[Parameter]) -> str:
    doc = entry.query.doc.strip() or f"Run `{entry.query.name}`."
    lines = [doc]
    explained = [
        f"    {parameter.name}: {' '.join(parameter.target.comment.split())}"
        for parameter in parameters
        if parameter.target and parameter.target.comment
    ]
    if explained:
        lines += ["", "Args:", *explained]
    return "\n".join(lines)


def _argument(parameter: Parameter) -> str:
    python = parameter.python
    if parameter.optional:
        omissible = PythonType(f"{python.text} | Unset")
        annotation = omissible.optional() if parameter.nullable else omissible
        return f"{parameter.name}: {annotation.text} = UNSET"
    annotation = python.optional() if parameter.nullable else python
    text = f"{parameter.name}: {annotation.text}"
    return text if parameter.default is None else f"{text} = {parameter.default_source}"


def _file_comment(source: Source) -> str:
    """Return the comment at the head of a query file."""
    lines = []
    for line in source.text.splitlines():
        if not line.startswith("--") or line.replace(" ", "").startswith("--name:"):
            break
        lines.append(line[2:].strip())
    return "\n".join(lines).strip()
