"""The types and nullability of one query, from what PostgreSQL says of its variants. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from todo_sql.compiler import effects, feeds, nested, python_types
from todo_sql.compiler.checked import Checked
from todo_sql.compiler.checks import session_state
from todo_sql.compiler.described import Described, DescribedColumn, DescribedParameter, NestedModel
from todo_sql.compiler.prepare import ResultColumn
from todo_sql.compiler.proof.nullability import Claims, prove_all
from todo_sql.compiler.repeats import repeat_keys
from todo_sql.compiler.schema import Relation, Schema
from todo_sql.compiler.value_types import ValueTypes
from todo_sql.config import Config
from todo_sql.errors import Finding
from todo_sql.queries.named import ColumnDirective, NamedQuery, ParameterDirective


class Inference:
    """Turns prepared variants into a description.

    Args:
        named_types: The OIDs of the types that headers name, None for one that isn't there;
            filled before a query is described.
    """

    def __init__(
        self, schema: Schema, config: Config, named_types: Mapping[str, int | None]
    ) -> None:
        self.schema = schema
        self.config = config
        self._named_types = named_types
        self._types = ValueTypes(schema, config)

    def describe(self, checked: Checked, findings: list[Finding]) -> Described | None:
        """Return the description of a query, or None with what is wrong added to `findings`."""
        query = checked.query
        wrong = self._disagreements(checked)
        wrong += session_state.refused(query, checked.variants[0])
        findings += wrong
        if wrong:
            return None
        parameters = self._parameters(checked, findings)
        found = self._columns(checked, parameters, findings)
        if parameters is None or found is None:
            return None
        columns, models = found
        relations = effects.tables(checked.distinct, self.schema)
        return Described(
            query,
            parameters,
            columns,
            len(checked.variants),
            all(effects.is_read_only(tree, self.schema) for tree in checked.distinct),
            self._tenant(query, relations),
            self.config.tenant.parameter if self.config.tenant else None,
            frozenset(column.name for column in columns if not column.nullable),
            any(effects.leaves(tree, self.schema) for tree in checked.distinct),
            self._repeat(checked),
            models,
        )

    def _repeat(self, checked: Checked) -> frozenset[str]:
        """Return the parameters that make a repeat of any variant harmless, or none."""
        queries = (query for *_, tree in checked.known for query in tree.of("QUERY"))
        if not any(query["onConflict"] for query in queries):
            return frozenset()
        keys = [
            repeat_keys(answer.parse(), variant.parameters, self.schema)
            for variant, answer, _ in checked.known
        ]
        return frozenset().union(*keys) if all(keys) else frozenset()

    def wrong_types(self, query: NamedQuery) -> list[Finding]:
        """Return what is wrong with the types that a header names."""
        fix = "name a type of PostgreSQL or of the migrations"
        found = []
        for one in directives(query):
            if one.pg_type and self._named_types.get(one.pg_type) is None:
                message = f"`{one.pg_type}` is not a type"
                cause = f"the header of `{query.name}` declares `{one.name}` with it"
                found.append(Finding("C105", "error", message, one.place, cause, fix))
        return found

    def _disagreements(self, checked: Checked) -> list[Finding]:
        query, found = checked.query, []
        shapes = {
            tuple((column.name, column.type) for column in answer.columns)
            for answer in checked.shapes
        }
        if len(shapes) > 1:
            shown = [
                ", ".join(f"{name} {self._types.shown(oid)}" for name, oid in shape)
                for shape in sorted(shapes)
            ]
            message = f"the variants of `{query.name}` return different columns"
            cause = " or ".join(f"({one})" for one in shown)
            fix = "let optional lines change which rows come back, not their shape"
            found.append(Finding("C103", "error", message, query.place(), cause, fix))
        names = {column.name for column in checked.answers[0].columns}
        if query.cardinality.returns_rows:
            names |= {
                path
                for path in nested.paths(names)
                if query.columns.get(path) and not query.columns[path].pg_type
            }
        cause = f"its columns are {', '.join(sorted(names)) or 'none'}"
        fix = "correct the name, or take the directive out"
        for name, directive in query.columns.items():
            if name not in names:
                message = f"`{query.name}` has no column `{name}`"
                found.append(Finding("C106", "error", message, directive.place, cause, fix))
        return found

    def _parameters(
        self, checked: Checked, findings: list[Finding]
    ) -> tuple[DescribedParameter, ...] | None:
        query = checked.query
        oids: dict[str, set[int]] = defaultdict(set)
        fed: dict[str, list[feeds.Feed]] = defaultdict(list)
        listed = self._types.listed
        fed_by = {id(tree): feeds.feeds(tree, self.schema, listed) for tree in checked.distinct}
        for variant, answer in zip(checked.variants, checked.answers, strict=True):
            for name, oid in zip(variant.parameters, answer.parameters, strict=True):
                oids[name].add(oid)
        for variant, _, tree in checked.known:
            numbered = fed_by[id(tree)]
            for number, name in enumerate(variant.parameters, start=1):
                if number in numbered:
                    fed[name].append(numbered[number])
        found = [self._parameter(query, name, oids[name], fed[name]) for name in query.names]
        wrong = [one for one in found if isinstance(one, Finding)]
        parameters = [one for one in found if isinstance(one, DescribedParameter)]
        for case in query.cases.values():
            values, default = python_types.literal(case.values), python_types.quoted(case.default)
            parameters.append(DescribedParameter(case.parameter, None, values, False, default))
        findings += wrong
        return None if wrong else tuple(parameters)

    def _parameter(
        self, query: NamedQuery, name: str, oids: set[int], fed: list[feeds.Feed]
    ) -> DescribedParameter | Finding:
        """Return a parameter, by its types and by where it goes in each text."""
        types = self._types
        if len(oids) > 1:
            message = f"parameter `{name}` of `{query.name}` has several types"
            cause = f"its variants use it as {' or '.join(sorted(map(types.shown, oids)))}"
            fix = f"write `-- param: {name} TYPE` in the header"
            return Finding("C102", "error", message, query.place(), cause, fix)
        (oid,) = oids
        targets = {
            (relation.oid, column.name): (relation, column)
            for feed in fed
            for relation, column in feed.targets
        }
        target = types.origin(*next(iter(targets.values()))) if len(targets) == 1 else None
        directive = query.parameters.get(name)
        depth = types.depth(directive, oid, [column for _, column in targets.values()])
        shape = python_types.Shape(feeds.nullable_elements(fed), depth)
        python = types.python(oid, target, query, name, shape, tuples=True)
        if python is None:
            return self._no_type(query, f"parameter `{name}`", oid)
        listed = types.allowed(fed, target)
        if listed and not python.mapped:
            python = python_types.narrowed(python, listed)
        nullable = feeds.nullable(fed)
        if directive is not None and directive.nullable is not None:
            nullable = directive.nullable
        default = directive.default if directive else None
        return DescribedParameter(
            name,
            types.shown(oid) + "[]" * (0 if types.is_domain(oid) else depth - 1),
            python,
            nullable or default == "None",
            default,
            name in query.optional and name not in query.required,
            target,
            python_types.written(oid, self.schema, depth),
            shape.nulls or python.mapped,
        )

    def _columns(
        self,
        checked: Checked,
        parameters: tuple[DescribedParameter, ...] | None,
        findings: list[Finding],
    ) -> tuple[tuple[DescribedColumn, ...], tuple[NestedModel, ...]] | None:
        query = checked.query
        described = checked.answers[0].columns
        if parameters is None or not described:
            return ((), ()) if parameters is not None else None
        names = [column.name for column in described]
        nests = query.cardinality.returns_rows and nested.nests(names)
        claims = self._claims(checked, parameters, sides=nests)
        wrong: list[Finding] = nested.wrong_names(query, names) if nests or query.models else []
        nests = nests and not wrong
        found, inside = nested.nesting(query, names, claims, wrong) if nests else ((), {})
        models = {one.path: one.model for one in found}
        columns = []
        for index, column in enumerate(described):
            path, _, last = column.name.rpartition(".")
            inner = f"{models[path]}.{last}" if path in models else None
            one = self._column(query, column, index, claims, inner)
            if isinstance(one, Finding):
                wrong.append(one)
            elif index in inside:
                columns.append(replace(one, inside=not inside[index]))
            else:
                columns.append(one)
        findings += wrong
        return None if wrong else (tuple(columns), found)

    def _column(
        self,
        query: NamedQuery,
        column: ResultColumn,
        index: int,
        claims: list[Claims],
        inner: str | None,
    ) -> DescribedColumn | Finding:
        """Return a column; `inner` names it where it is one of a nested model."""
        types = self._types
        not_null = all(claim.columns[index] for claim in claims)
        values = all(claim.elements[index] for claim in claims)
        relation = self.schema.relations.get(column.table)
        found = relation.columns.get(column.number) if relation else None
        origin = types.origin(relation, found) if relation and found else None
        directive = query.columns.get(column.name)
        oid = column.type
        if directive is not None and directive.pg_type is not None:
            oid = self._named_types[directive.pg_type] or oid
        declared = oid  # Describe tells what a domain is made of
        if found is not None and oid == column.type and types.is_domain(found.type):
            declared = found.type
        if directive is not None and directive.nullable is not None:
            not_null = not directive.nullable
        depth = types.depth(directive, oid, [found])
        if directive is None or directive.pg_type is None:
            depth = max([depth, *(claim.depths[index] for claim in claims if claim.depths)])
        shape = python_types.Shape(not values, depth)
        python = types.python(declared, origin, query, column.name, shape, inner)
        if python is None:
            return self._no_type(query, f"column `{column.name}`", oid)
        shown, form = types.shown(oid, column.typmod), python_types.form(oid, self.schema)
        return DescribedColumn(
            column.name, shown, python, not not_null, origin, form, inside=not not_null
        )

    def _claims(
        self, checked: Checked, parameters: Iterable[DescribedParameter], *, sides: bool
    ) -> list[Claims]:
        """Return what the variants prove of the columns."""
        count = len(checked.answers[0].columns)
        nullable = {parameter.name for parameter in parameters if parameter.nullable}
        holed = {parameter.name for parameter in parameters if parameter.null_elements}
        known: dict[tuple[int, tuple[str, ...]], Claims] = {}
        for variant, _, tree in checked.known:
            key = (id(tree), variant.parameters)
            if key not in known:
                numbered = list(enumerate(variant.parameters, start=1))
                known[key] = prove_all(
                    tree.queries,
                    self.schema,
                    frozenset(number for number, name in numbered if name in nullable),
                    frozenset(number for number, name in numbered if name in holed),
                    sides=sides,
                )
                if len(known[key].columns) != count:
                    known[key] = Claims([False] * count, [False] * count)
        return list(known.values())

    def _no_type(self, query: NamedQuery, what: str, oid: int) -> Finding:
        shown = self._types.shown(oid)
        element = shown.removesuffix("[]")
        key = f"'{element}'" if '"' in element else f'"{element}"'
        table = "[tool.todo-sql.types]"
        fix = f'cast it to text or jsonb, or map it: {key} = "module.Name" under {table}'
        if element == "record":
            fix = "say which row type it is: cast it, as in `:name::my_type`"
        message = f"{what} of `{query.name}` has no Python type"
        cause = f"its type in PostgreSQL is {shown}"
        return Finding("C104", "error", message, query.place(), cause, fix)

    def _tenant(self, query: NamedQuery, relations: list[Relation]) -> bool:
        tenant, exempt = self.config.tenant, self.config.exempt
        if tenant is None or query.tenant == "none":
            return False
        if query.tenant == "required" or tenant.parameter in query.names:
            return True
        return any(effects.is_tenant_table(one, tenant.parameter, exempt) for one in relations)


def directives(query: NamedQuery) -> list[ParameterDirective | ColumnDirective]:
    """Return what a header says of parameters and columns."""
    return [*query.parameters.values(), *query.columns.values()]
