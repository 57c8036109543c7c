"""What ``[tool.todo-sql]`` may hold: a mistake is named with its key, and with what to write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from todo_sql.errors import ConfigError, Severity

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Folder = Annotated[str, Field(description="a path in quotes")]
Name = Annotated[str, Field(min_length=1)]
# Names and what combines them; never a call, since `query` evaluates it.
TypeName = Annotated[str, Field(pattern=r"""^[\w.\[\],|'" :/-]+$""")]


def _own(name: str) -> str:
    if re.match(r"(todo_sql|plpgsql|pg_\w*)\.", name, re.IGNORECASE):
        raise ValueError("its prefix is not yours")
    return name


# PostgreSQL's own settings have no dot.
SettingName = Annotated[
    str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$"), AfterValidator(_own)
]


_Place = tuple[int | str, ...]


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class TenantSection(_Keys):
    """The keys of ``tenant``; see `todo_sql.config.Tenant`."""

    parameter: Name
    setting: Name
    role: Name


class LintRules(_Keys):
    """What counts, and for how much; see `todo_sql.config.Lint`."""

    disable: list[Name] = Field(default_factory=list)
    severity: dict[Name, Severity] = Field(default_factory=dict)


class LintSection(LintRules):
    """The keys of ``lint``; in ``paths`` a list alone is one of rules to disable."""

    profile: Literal["citus"] | None = None
    paths: dict[Name, LintRules | list[Name]] = Field(default_factory=dict)


class Section(_Keys):
    """The keys of the section; see `todo_sql.config.Config`. A description says what to write."""

    migrations: Folder | Annotated[list[Folder], Field(min_length=1)] = Field(
        "migrations", description="a path in quotes, or a list of paths in order"
    )
    queries: Folder = "queries"
    generate: Folder = ""
    specs: Folder = "specs/database"
    seeds: Folder = "seeds"
    ledger: Name | None = Field(None, description='the name of a schema: ledger = "billing"')
    settings: dict[SettingName, str | bool | int | float] = Field(
        default_factory=dict,
        description='names with a dot, and values: "app.environment" = "${APP_ENV:-development}"',
    )
    role: Name | None = Field(None, description='the name of a role: role = "owner"')
    tenant: TenantSection | None = Field(
        None,
        description='tenant = { parameter = "user_id", setting = "app.current_user_id", '
        'role = "app" }',
    )
    types: dict[str, TypeName] = Field(
        default_factory=dict, description='"tasks.priority" = "my.module.Priority"'
    )
    enums: Literal["literal", "enum"] = Field("literal", description='"literal" or "enum"')
    postgres: int = Field(18, ge=15, description="a major version, 15 or newer")
    exempt: list[str] = Field(default_factory=list, description="a list of tables in quotes")
    ignore: list[str] = Field(default_factory=list, description="a list of patterns in quotes")
    lint: LintSection = Field(
        default_factory=LintSection,
        description='lint = { disable = ["R501"], severity = { R502 = "info" }, '
        'paths = { "migrations/2024*" = ["R503"] } }',
    )

    @property
    def folders(self) -> list[str]:
        """The folders of migrations."""
        return [self.migrations] if isinstance(self.migrations, str) else self.migrations


def read_section(section: dict[str, Any], where: str) -> Section:
    """Check a section as it was read.

    Args:
        section: The keys and their values.
        where: How messages name the section and its file.

    Raises:
        ConfigError: The first mistake, with the others as its cause.
    """
    try:
        return Section.model_validate(section)
    except ValidationError as error:
        # An unknown key first: what is missing is often what it was meant to be.
        found = sorted(
            error.errors(include_url=False, include_input=False),
            key=lambda one: one["type"] != "extra_forbidden",
        )
    mistakes = [_problem(*one) for one in _told_once(found, section)]
    others = "; ".join(f"{key} {problem}".strip() for key, problem, _ in mistakes[1:])
    key, problem, fix = mistakes[0]
    raise ConfigError(
        f"{key} under {where}{problem and ': '}{problem}",
        cause=f"wrong as well: {others}" if others else None,
        fix=fix,
    )


def _told_once(found: list[ErrorDetails], section: Any) -> Iterator[tuple[str, _Place, str]]:
    """Yield kind, place and message of each mistake, without the types that it could be of.

    Where a value may be of several types, there is an error for each of them, with the type in
    the place; of two types the one counts that took more of the value.
    """
    told: dict[_Place, tuple[str, list[str]]] = {}
    for one in found:
        place: list[int | str] = []
        value = section
        for part in one["loc"]:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                if one["type"] != "missing":
                    continue
            place.append(part)
        told.setdefault(tuple(place), (one["type"], []))[1].append(one["msg"])
    for at, (kind, messages) in told.items():
        if not any(len(other) > len(at) and other[: len(at)] == at for other in told):
            words = dict.fromkeys(re.sub(r" or instance of \w+", "", one) for one in messages)
            first, *others = (one[0].lower() + one[1:] for one in words)
            more = (f" or {one.removeprefix('input should be ')}" for one in others)
            yield kind, at, first + "".join(more)


def _problem(kind: str, place: _Place, message: str) -> tuple[str, str, str]:
    """Return the key in words, what is wrong with it, and what to write instead."""
    key, *rest = map(str, place)
    if kind == "extra_forbidden":
        sections: dict[str, type[_Keys]] = {"tenant": TenantSection, "lint": LintSection}
        fields = sections.get(key, Section).model_fields if rest else Section.model_fields
        close = get_close_matches(str(place[-1]), fields, 1)
        known = f"use one of {', '.join(sorted(fields))}"
        name = ".".join((key, *rest))
        return f"unknown key `{name}`", "", f"did you mean `{close[0]}`?" if close else known
    inner = f"`{'.'.join(rest)}`: " if rest else ""
    fix = f"write {Section.model_fields[key].description}"
    return f"`{key}`", inner + message, fix
