"""The source of one module: a handle and a function for each query of a .sql file. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import takewhile

from todo_sql.compiler.described import Described, DescribedParameter
from todo_sql.compiler.generating import layout
from todo_sql.compiler.generating.imports import RUNTIME, Imports
from todo_sql.compiler.generating.layout import ModelGroup, header, lay_out
from todo_sql.compiler.python_types import PythonType, quoted
from todo_sql.config import Config, Tenant
from todo_sql.queries.keyset import page_variants
from todo_sql.queries.named import Cardinality
from todo_sql.sql.source import Source
from todo_sql.wire.loaders import Form

# The other methods of a session are called as their cardinality is.
_METHODS = {Cardinality.EXEC: "execute", Cardinality.BATCH: "batch_execute"}
# What a function may call its own arguments, beside those of the query.
_ARGUMENTS = ("session", "params", "rows", "cursor")


def render(
    stem: str, described: list[Described], source: Source, config: Config, own: str | None
) -> str:
    """Return the text of a module."""
    taken = {entry.query.name for entry in described}
    taken |= {parameter.name for entry in described for parameter in entry.parameters}
    imports = Imports(own, taken)
    for entry in described:  # the user's own names, before those of libraries
        if entry.model:
            imports.name(".models", entry.model)
        if entry.parameters_type:
            imports.name(".models", entry.parameters_type, typing=True)
    module = _Module(imports)
    body: list[str] = []
    for entry in described:
        body += ["", "", *module.handle(entry), "", "", *module.functions(entry)]
    doc = _file_comment(source) or f"Typed functions for the queries in {source.file}."
    file = module.file(f"{stem}.sql", config.tenant)
    lines = [*header(source.file), *layout.docstring(layout.summarised(doc), ""), ""]
    lines += [imports.future(), "", *imports.lines()]
    if guarded := imports.lines(typing=True):
        checking = imports.name("typing", "TYPE_CHECKING")
        lines += ["", f"if {checking}:", *(f"    {line}" if line else "" for line in guarded)]
    return "\n".join([*lines, "", *file, *body[1:]]) + "\n"


class _Module:
    """Writes what a module holds, and collects the names that this needs."""

    def __init__(self, imports: Imports) -> None:
        self.imports = imports
        self._file = imports.define("_FILE")
        self._handles: dict[str, str] = {}
        imports.name("typing", "TYPE_CHECKING")

    def file(self, name: str, tenant: Tenant | None) -> list[str]:
        """Return the lines of the handle on the .sql file."""
        items: list[str | ModelGroup] = ["__package__", quoted(name)]
        if tenant is not None:
            values = (tenant.parameter, tenant.setting, tenant.role)
            head = f"tenant={self._ours('Tenant')}("
            items.append(ModelGroup(head, tuple(quoted(value) for value in values), ")"))
        return lay_out(ModelGroup(f"{self._file} = {self._ours('QueryFile')}(", tuple(items), ")"))

    def handle(self, entry: Described) -> list[str]:
        """Return the lines of the handle on a query."""
        query, row = entry.query, self.imports.type(entry.row)
        sent = [parameter for parameter in entry.parameters if parameter.pg_type is not None]
        made = row
        if row == "None" and entry.columns and query.cardinality.returns_rows:
            made = f"{self.imports.builtin('type')}(None)"
        types = [f"{quoted(one.name)}: {quoted(one.pg_type or '')}" for one in sent]
        nullable = [quoted(one.name) for one in sent if one.nullable]
        nullable += [
            quoted(f"{one.name}[]")
            for one in sent
            if one.null_elements and one.python.text.startswith("list[")
        ]
        items: list[str | ModelGroup] = [quoted(query.name), f"row={made}"]
        items.append(_dict("parameters", types))
        if entry.written:
            items.append(_form("written=", entry.written))
        items.append(_list("nullable", nullable))
        if query.cardinality is Cardinality.PAGE:
            keys = {key for variant in page_variants(query) for key in variant.keys}
            items.append(_list("not_null", map(quoted, sorted(keys & entry.not_null))))
        if entry.forms:
            items.append(_form("forms=", entry.forms))
        if query.cardinality is Cardinality.COPYFROM and (pairs := self._defaults(sent)):
            items.append(_dict("defaults", pairs))
        if entry.nested:
            witnesses = {
                one.path: quoted(one.witness) if one.witness else None for one in entry.nested
            }
            items.append(_dict("nested", (f"{quoted(k)}: {v}" for k, v in witnesses.items())))
        flags = {
            "validated": bool(entry.row.mapped or entry.row.enums),
            "read_only": entry.read_only,
            "tenant": entry.tenant,
            "leaves": entry.leaves,
        }
        items += [f"{name}=True" for name, is_set in flags.items() if is_set]
        if entry.repeat:
            items.append(_list("repeat", map(quoted, sorted(entry.repeat))))
        handle = self._handles[query.name] = self.imports.define(f"_{query.name.upper()}")
        head = f"{handle}: {self._ours('Query')}[{row}] = {self._file}.query("
        return lay_out(ModelGroup(head, tuple(items), ")"))

    def functions(self, entry: Described) -> list[str]:
        """Return the lines of a query's function: for threads, for tasks, and what both do."""
        names = {parameter.name for parameter in entry.own_parameters}
        own = {name: _unless(name, names) for name in _ARGUMENTS}
        required = [one for one in entry.own_parameters if not one.may_be_left_out]
        ordered = [*required, *(one for one in entry.own_parameters if one.may_be_left_out)]
        arguments = self._arguments(entry, ordered, own)
        choices = [] if entry.parameters_type else entry.choices(ordered)
        several = [self._arguments(entry, chosen, own) for chosen in choices] or [arguments]

        def signature(session: str, returns: str, end: str, arguments: list[str]) -> list[str]:
            items = (f"{own['session']}: {session}", *arguments)
            group = ModelGroup(f"def {entry.query.name}(", items, f") -> {returns}:")
            return lay_out(group, suffix=end)

        sessions = self._typed("Session"), self._typed("AsyncSession")
        overload = f"@{self.imports.name('typing', 'overload')}"
        anything = self.imports.name("typing", "Any")
        answers = self._answers(entry, anything)
        overloads = []
        for chosen in several:
            for session, answer in zip(sessions, answers, strict=True):
                overloads += [overload, *signature(session, answer, " ...", chosen)]
        doc = _documentation(entry, [] if entry.parameters_type else ordered)
        return [
            *overloads,
            *signature(" | ".join(sessions), anything, "", arguments),
            *layout.docstring(doc, "    "),
            *lay_out(self._call(entry, ordered, own), "    "),
        ]

    def _arguments(
        self, entry: Described, ordered: list[DescribedParameter], own: Mapping[str, str]
    ) -> list[str]:
        model = entry.parameters_type
        if model is None:
            arguments = [self._argument(parameter) for parameter in ordered]
            if arguments:
                arguments.insert(0, "*")
        else:
            model = self.imports.name(".models", model, typing=True)
            arguments = [f"{own['params']}: {model}"]
            if entry.is_bulk:
                many = self.imports.name("collections.abc", "Iterable", typing=True)
                arguments = [f"{own['rows']}: {many}[{model}]"]
        if entry.query.cardinality is Cardinality.PAGE:
            if not arguments or model:
                arguments.append("*")
            arguments.append(f"{own['cursor']}: {self.imports.builtin('str')} | None = None")
        return arguments

    def _argument(self, parameter: DescribedParameter) -> str:
        python = parameter.python.sequence()
        if parameter.optional:
            python = PythonType(f"{python.text} | Unset", python.imports | {(RUNTIME, "Unset")})
        if parameter.nullable:
            python = python.optional()
        text = f"{parameter.name}: {self.imports.type(python)}"
        if parameter.optional:
            return f"{text} = {self._ours('UNSET')}"
        if parameter.default is None:
            return text
        return f"{text} = {self.imports.type(parameter.default_value)}"

    def _answers(self, entry: Described, anything: str) -> tuple[str, str]:
        row = self.imports.type(entry.row)
        if entry.query.cardinality is Cardinality.STREAM:
            return f"{self._typed('RowStream')}[{row}]", f"{self._typed('AsyncRowStream')}[{row}]"
        answer = entry.returns(row, self._returned)
        later = self.imports.name("collections.abc", "Coroutine", typing=True)
        return answer, f"{later}[{anything}, {anything}, {answer}]"

    def _call(
        self, entry: Described, ordered: list[DescribedParameter], own: Mapping[str, str]
    ) -> ModelGroup:
        pairs = tuple(f"{quoted(one.name)}: {one.name}" for one in ordered)
        values: str | ModelGroup = ModelGroup("{", pairs, "}")
        defaults = [one for one in ordered if one.default is not None]
        if entry.query.cardinality is Cardinality.COPYFROM:
            values = own["rows"]
        elif entry.is_bulk:
            shown = "".join(f"{pair}, " for pair in self._defaults(defaults))
            values = f"({{{shown}**one}} for one in {own['rows']})" if defaults else own["rows"]
            if entry.takes_model:
                called, made = self.imports.builtin("map"), self.imports.builtin("dict")
                values = f"{called}({made}, {own['rows']})"
        elif entry.takes_model:
            values = f"{self.imports.builtin('dict')}({own['params']})"
        items: tuple[str | ModelGroup, ...] = (self._handles[entry.query.name], values)
        if entry.query.cardinality is Cardinality.PAGE:
            items = (*items, own["cursor"])
        method = _METHODS.get(entry.query.cardinality, entry.query.cardinality.value)
        return ModelGroup(f"return {own['session']}.{method}(", items, ")")

    def _defaults(self, parameters: list[DescribedParameter]) -> list[str]:
        """Return the defaults of parameters as pairs of a dict."""
        return [
            f"{quoted(one.name)}: {self.imports.type(one.default_value)}"
            for one in parameters
            if one.default is not None
        ]

    def _returned(self, name: str) -> str:
        return self._typed(name) if name == "Page" else self.imports.builtin(name)

    def _ours(self, name: str) -> str:
        return self.imports.name(RUNTIME, name)

    def _typed(self, name: str) -> str:
        return self.imports.name(RUNTIME, name, typing=True)


def _unless(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name = f"{name}_"
    return name


def _list(name: str, items: Iterable[str]) -> ModelGroup:
    return ModelGroup(f"{name}=[", tuple(items), "]")


def _dict(name: str, pairs: Iterable[str]) -> ModelGroup:
    return ModelGroup(f"{name}={{", tuple(pairs), "}")


def _form(head: str, form: Form) -> str | ModelGroup:
    """Return a form as Python source behind what stands before it."""
    if isinstance(form, str):
        return f'{head}"{form}"'
    if isinstance(form, list):
        return ModelGroup(f"{head}[", tuple(_form("", one) for one in form), "]")
    fields = tuple(_form(f"{quoted(name)}: ", one) for name, one in form.items())
    return ModelGroup(f"{head}{{", fields, "}")


def _documentation(entry: Described, parameters: list[DescribedParameter]) -> str:
    doc = entry.query.doc.strip() or f"Run `{entry.query.name}`."
    lines = [layout.summarised(doc)]
    for choice in entry.query.choices:
        lines += ["", f"Give exactly one of {', '.join(f'`{name}`' for name in choice)}."]
    explained = [
        f"    {parameter.name}: {' '.join(parameter.target.comment.split())}"
        for parameter in parameters
        if parameter.target and parameter.target.comment and not entry.parameters_type
    ]
    if explained:
        lines += ["", "Args:", *explained]
    return "\n".join(lines)


def _file_comment(source: Source) -> str:
    """Return the comment at the head of a query file."""

    def is_remark(line: str) -> bool:
        return line.startswith("--") and not line.replace(" ", "").startswith("--name:")

    lines = takewhile(is_remark, source.text.splitlines())
    return "\n".join(line[2:].strip() for line in lines).strip()
