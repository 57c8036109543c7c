"""Values from outside: settings that the SQL reads by `current_setting('app.x')`. Pure.

A value names variables of the environment: ``${NAME}``, or ``${NAME:-default}`` where it may
be missing; ``$$`` is a dollar. What comes from the environment counts as a secret: no message
shows it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from todo_sql.errors import ConfigError, Finding, FindingsError, TodoSqlError

_REFERENCE = re.compile(r"\$(?:(\$)|\{([A-Za-z_]\w*)(?:(:-)([^}]*))?\}|(?=\{))")
_SHORT = 4  # below it a secret is a word of its own, or half of every message were one


@dataclass(frozen=True)
class Settings:
    """The settings of one run.

    Attributes:
        values: By name, in order.
        secrets: What no message may show, longest first, by what stands in its place.
    """

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    def hide(self, text: str) -> str:
        """Return a text without secrets."""
        for secret, shown in self.secrets.items():
            if len(secret) >= _SHORT:
                text = text.replace(secret, shown)
            else:
                text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", shown, text)
        return text

    def hidden(self, finding: Finding) -> Finding:
        """Return a finding without secrets; its place is in a file, and stays."""
        if not self.secrets:
            return finding
        place = finding.place
        if place is not None and place.excerpt is not None:
            place = replace(place, excerpt=self.hide(place.excerpt))
        cause = finding.cause and self.hide(finding.cause)
        fix = finding.fix and self.hide(finding.fix)
        message = self.hide(finding.message)
        return replace(finding, message=message, place=place, cause=cause, fix=fix)

    def hide_in(self, error: BaseException) -> None:
        """Take the secrets out of an error."""
        if not self.secrets:
            return
        error.args = tuple(self.hide(a) if isinstance(a, str) else a for a in error.args)
        if isinstance(error, TodoSqlError):
            error.finding = self.hidden(error.finding)
        if isinstance(error, FindingsError):
            error.findings = [self.hidden(one) for one in error.findings]


@dataclass(frozen=True)
class FromOutside:
    """The settings as the configuration has them."""

    texts: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def resolved(self) -> Settings:
        """Return the values; `ConfigError`: a variable is not set, or a reference is none."""
        values, secrets, missing = {}, {}, []
        for name, text in self.texts.items():

            def found(match: re.Match[str], name: str = name) -> str:
                dollar, variable, optional, default = match.groups()
                if dollar:
                    return "$"
                if not variable:
                    raise ConfigError(
                        f"`{name}` in [tool.todo-sql.settings] holds a reference that is none",
                        code="U208",
                        fix="write ${NAME} or ${NAME:-default}; a dollar sign is $$",
                    )
                given = self.environment.get(variable)
                if optional and not given:
                    return str(default)
                if given is None:
                    missing.append((name, variable))
                    return ""
                if given.strip():
                    secrets[given] = f"<{variable}>"
                return given

            values[name] = _REFERENCE.sub(found, text)
        if missing:
            (name, variable), *others = missing
            more = ", ".join(f"`{other}` needs {needed}" for other, needed in others)
            raise ConfigError(
                f"`{name}` in [tool.todo-sql.settings] needs {variable}, which the environment "
                "does not set",
                code="U209",
                cause="nothing was run" + (f"; missing as well: {more}" if more else ""),
                fix=f"set {variable}, or give it a default: ${{{variable}:-…}}",
            )
        return Settings(values, dict(sorted(secrets.items(), key=lambda one: -len(one[0]))))
