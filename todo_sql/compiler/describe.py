"""Find out the types of named queries: every variant prepared, none executed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from todo_sql.compiler import effects, models, prepare, schema, types
from todo_sql.compiler.described import Described, Parameter, ResultColumn
from todo_sql.compiler.nodes import Node
from todo_sql.compiler.nullability import prove
from todo_sql.compiler.prepare import Prepared, Refused
from todo_sql.compiler.schema import Schema
from todo_sql.config import Config
from todo_sql.errors import Finding, FindingsError
from todo_sql.queries.named import ColumnDirective, NamedQuery, ParameterDirective
from todo_sql.queries.variants import Variant, variants

if TYPE_CHECKING:
    from psycopg import Connection

UNDEFINED_PARAMETER = ("42P18", "42P08")


@dataclass(frozen=True)
class Analysis:
    """The queries that could be described, and what is wrong with the other ones."""

    described: tuple[Described, ...]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> list[Finding]:
        """The findings of severity error."""
        return [finding for finding in self.findings if finding.severity == "error"]


@dataclass(frozen=True)
class Checked:
    """A query with its variants, and what PostgreSQL says of each."""

    query: NamedQuery
    variants: tuple[Variant, ...]
    answers: tuple[Prepared, ...]
    trees: tuple[list[Node], ...]


def describe(
    connection: Connection[Any], queries: Mapping[str, NamedQuery], config: Config
) -> list[Described]:
    """Return the types of every query, in the order given; executes nothing.

    Raises:
        FindingsError: Some query is wrong; carries what is wrong with each.
    """
    analysis = analyse(connection, queries.values(), config)
    if analysis.errors:
        count = len(analysis.errors)
        raise FindingsError(
            f"{count} problem{'s' if count > 1 else ''} in the named queries", analysis.errors
        )
    return list(analysis.described)


def analyse(connection: Connection[Any], queries: Iterable[NamedQuery], config: Config) -> Analysis:
    """Describe queries; what is wrong with one doesn't stop the next."""
    return Compiler(connection, config).analyse(queries)


class Compiler:
    """Describes queries on one connection, whose schema is read once.

    Args:
        connection: To a migrated database, in autocommit mode.
        config: Of the project.
    """

    def __init__(self, connection: Connection[Any], config: Config) -> None:
        self.connection = connection
        self.config = config
        self.schema: Schema = schema.read(connection)
        self._named_types: dict[str, int | None] = {}
        prepare.configure(connection)

    def analyse(self, queries: Iterable[NamedQuery]) -> Analysis:
        """Describe queries; what is wrong with one doesn't stop the next."""
        queries = list(queries)
        findings: list[Finding] = []
        self._look_up_types(queries)
        described = [
            answer
            for answer in (
                self._describe(checked, findings) for checked in self.check(queries, findings)
            )
            if answer is not None
        ]
        described, disagreements = models.agree(described)
        return Analysis(tuple(described), (*findings, *disagreements))

    def check(self, queries: Sequence[NamedQuery], findings: list[Finding]) -> list[Checked]:
        """Prepare every variant of every query; return those that PostgreSQL accepts."""
        texts = [tuple(variants(query)) for query in queries]
        statements = [
            (variant.sql, [self._declared_type(query, name) for name in variant.parameters])
            for query, found in zip(queries, texts, strict=True)
            for variant in found
        ]
        answers = iter(prepare.prepare_all(self.connection, statements))
        accepted = []
        for query, found in zip(queries, texts, strict=True):
            mine = [next(answers) for _ in found]
            refusals = {
                refused(query, variant, answer): None
                for variant, answer in zip(found, mine, strict=True)
                if isinstance(answer, Refused)
            }
            findings += refusals
            good = tuple(answer for answer in mine if isinstance(answer, Prepared))
            if not refusals:
                trees = tuple(answer.queries() for answer in good)
                accepted.append(Checked(query, found, good, trees))
        return accepted

    def _look_up_types(self, queries: Sequence[NamedQuery]) -> None:
        names = {
            directive.pg_type
            for query in queries
            for directive in _directives(query)
            if directive.pg_type and directive.pg_type not in self._named_types
        }
        if names:
            rows = self.connection.execute(
                "select name, to_regtype(name)::oid::int8 from unnest(%s::text[]) as name",
                [sorted(names)],
            )
            self._named_types.update(dict(rows.fetchall()))

    def _declared_type(self, query: NamedQuery, name: str) -> int:
        directive = query.parameters.get(name)
        if directive is None or directive.pg_type is None:
            return 0
        return self._named_types.get(directive.pg_type) or 0

    def _describe(self, checked: Checked, findings: list[Finding]) -> Described | None:
        query = checked.query
        wrong = [*self._wrong_types(query), *self._disagreements(checked)]
        findings += wrong
        if wrong:
            return None
        parameters = self._parameters(checked, findings)
        columns = self._columns(checked, parameters, findings)
        if parameters is None or columns is None:
            return None
        relations = effects.tables([tree for trees in checked.trees for tree in trees], self.schema)
        return Described(
            query,
            parameters,
            columns,
            len(checked.variants),
            all(effects.is_read_only(trees, self.schema) for trees in checked.trees),
            self._tenant(query, relations),
            self.config.tenant.parameter if self.config.tenant else None,
            tuple(relations),
        )

    def _wrong_types(self, query: NamedQuery) -> list[Finding]:
        return [
            Finding(
                "C105",
                "error",
                f"`{directive.pg_type}` is not a type",
                directive.place,
                cause=f"the header of `{query.name}` declares `{directive.name}` so",
                fix="name a type of PostgreSQL or of the migrations",
            )
            for directive in _directives(query)
            if directive.pg_type and self._named_types.get(directive.pg_type) is None
        ]

    def _disagreements(self, checked: Checked) -> list[Finding]:
        query = checked.query
        first = checked.answers[0].columns
        shapes = {
            tuple((column.name, column.type) for column in answer.columns)
            for answer in checked.answers
        }
        found = []
        if len(shapes) > 1:
            found.append(
                Finding(
                    "C103",
                    "error",
                    f"the variants of `{query.name}` return different columns",
                    query.place(),
                    cause=" or ".join(
                        "(" + ", ".join(f"{name} {self._shown(oid)}" for name, oid in shape) + ")"
                        for shape in sorted(shapes)
                    ),
                    fix="let optional lines change which rows come back, not their shape",
                )
            )
        names = {column.name for column in first}
        found += [
            Finding(
                "C106",
                "error",
                f"`{query.name}` has no column `{directive.name}`",
                directive.place,
                cause=f"its columns are {', '.join(sorted(names)) or 'none'}",
                fix="correct the name, or take the directive out",
            )
            for directive in query.columns.values()
            if directive.name not in names
        ]
        return found

    def _parameters(
        self, checked: Checked, findings: list[Finding]
    ) -> tuple[Parameter, ...] | None:
        query = checked.query
        oids: dict[str, set[int]] = defaultdict(set)
        feeds: dict[str, list[effects.Feed]] = defaultdict(list)
        for variant, answer, trees in zip(
            checked.variants, checked.answers, checked.trees, strict=True
        ):
            fed = effects.feeds(trees, self.schema)
            for number, name in enumerate(variant.parameters, start=1):
                oids[name].add(answer.parameters[number - 1])
                if number in fed:
                    feeds[name].append(fed[number])
        parameters: list[Parameter] = []
        wrong: list[Finding] = []
        for name in query.names:
            if len(oids[name]) > 1:
                shown = " or ".join(sorted(self._shown(oid) for oid in oids[name]))
                wrong.append(
                    Finding(
                        "C102",
                        "error",
                        f"parameter `{name}` of `{query.name}` has several types",
                        query.place(),
                        cause=f"its variants use it as {shown}",
                        fix=f"write `-- param: {name} TYPE` in the header",
                    )
                )
                continue
            (oid,) = oids[name]
            targets = {
                (relation.oid, column.name): (relation, column)
                for feed in feeds[name]
                for relation, column in feed.targets
            }
            target = next(iter(targets.values())) if len(targets) == 1 else None
            python = self._python(oid, target)
            if python is None:
                wrong.append(self._no_type(query, f"parameter `{name}`", oid))
                continue
            directive = query.parameters.get(name)
            nullable = bool(feeds[name]) and all(feed.nullable for feed in feeds[name])
            if directive is not None and directive.nullable is not None:
                nullable = directive.nullable
            default = directive.default if directive else None
            nullable = nullable or default == "None"
            optional = name in query.optional and name not in query.required
            parameters.append(
                Parameter(name, self._shown(oid), python, nullable, default, optional, target)
            )
        for case in query.cases.values():
            values, default = types.literal(case.values), types.quoted(case.default)
            parameters += [Parameter(case.parameter, None, values, False, default)]
        findings += wrong
        return None if wrong else tuple(parameters)

    def _columns(
        self,
        checked: Checked,
        parameters: tuple[Parameter, ...] | None,
        findings: list[Finding],
    ) -> tuple[ResultColumn, ...] | None:
        query = checked.query
        described = checked.answers[0].columns
        if parameters is None or not described:
            return () if parameters is not None else None
        nullable = {parameter.name for parameter in parameters if parameter.nullable}
        proven = [True] * len(described)
        for variant, trees in zip(checked.variants, checked.trees, strict=True):
            numbers = frozenset(
                number
                for number, name in enumerate(variant.parameters, start=1)
                if name in nullable
            )
            claims = prove(trees, self.schema, numbers)
            if len(claims) != len(proven):
                claims = [False] * len(proven)
            proven = [one and other for one, other in zip(proven, claims, strict=True)]
        columns = []
        wrong = []
        for column, not_null in zip(described, proven, strict=True):
            relation = self.schema.relations.get(column.table)
            found = relation.columns.get(column.number) if relation else None
            origin = (relation, found) if relation and found else None
            directive = query.columns.get(column.name)
            oid = column.type
            if directive is not None and directive.pg_type is not None:
                oid = self._named_types[directive.pg_type] or oid
            if directive is not None and directive.nullable is not None:
                not_null = not directive.nullable
            python = self._python(oid, origin)
            if python is None:
                wrong.append(self._no_type(query, f"column `{column.name}`", oid))
                continue
            shown = self._shown(oid, column.typmod)
            columns.append(ResultColumn(column.name, shown, python, not not_null, origin))
        findings += wrong
        return None if wrong else tuple(columns)

    def _python(
        self, oid: int, origin: tuple[schema.Relation, schema.Column] | None
    ) -> types.PythonType | None:
        if origin is not None:
            relation, column = origin
            for table in (relation.name, f"{relation.schema}.{relation.name}"):
                path = self.config.types.get(f"{table}.{column.name}")
                if path:
                    return types.named(path)
        return types.python_type(oid, self.schema, dict(self.config.types))

    def _no_type(self, query: NamedQuery, what: str, oid: int) -> Finding:
        shown = self._shown(oid)
        return Finding(
            "C104",
            "error",
            f"{what} of `{query.name}` has no Python type",
            query.place(),
            cause=f"its type in PostgreSQL is {shown}",
            fix=f'cast it to text or jsonb, or map it: "{shown}" = "module.Name" under '
            "[tool.todo-sql.types]",
        )

    def _shown(self, oid: int, typmod: int = -1) -> str:
        found = self.schema.types.get(oid)
        name = found.shown if found else f"type {oid}"
        return name + types.modifier(found, typmod) if found else name

    def _tenant(self, query: NamedQuery, relations: list[schema.Relation]) -> bool:
        tenant = self.config.tenant
        if tenant is None or query.tenant == "none":
            return False
        return (
            query.tenant == "required"
            or tenant.parameter in query.names
            or effects.needs_tenant(relations, tenant.parameter, self.config.exempt)
        )


def _directives(query: NamedQuery) -> list[ParameterDirective | ColumnDirective]:
    return [*query.parameters.values(), *query.columns.values()]


def refused(query: NamedQuery, variant: Variant, answer: Refused) -> Finding:
    """Return the finding for a variant that PostgreSQL rejects."""
    offset = query.start
    if answer.offset is not None:
        offset = variant.source_offset(answer.offset)
    text = query.source.text
    end = offset
    while end < len(text) and (text[end].isalnum() or text[end] in "_:$."):
        end += 1
    cause = f"PostgreSQL {answer.sqlstate} in query `{query.name}`"
    if answer.detail:
        cause += f": {answer.detail}"
    fix = answer.hint or "correct the query, or the migrations that it relies on"
    if answer.sqlstate in UNDEFINED_PARAMETER:
        fix = "cast its first use, as in :name::text, or declare it: -- param: name text"
    return Finding("C101", "error", answer.message, query.source.place(offset, end), cause, fix)
