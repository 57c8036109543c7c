"""Each rule's examples are its test; the page on the rules is made from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from todo_sql.config import Tenant
from todo_sql.review.linting.reviewed import File
from todo_sql.review.linting.rule import Project, Rule, all_rules
from todo_sql.review.linting.rules_page import render
from todo_sql.sql.grammar import parse
from todo_sql.sql.source import Source

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


def hits(text: str, profile: str | None = None) -> list[str]:
    """Return the codes that a migration breaks, in order."""
    source = Source("example.sql", text)
    file = File(source, "migration", tuple(parse(text)))
    project = Project((file,), Tenant())
    found = []
    for rule in all_rules():
        for hit in rule.check(project) if rule.counts(profile) else ():
            rule.message.format_map(hit.words)
            rule.cause.format_map(hit.words)
            rule.fix.format_map(hit.words)
            assert hit.spot.place.line >= 1
            found.append(rule.code)
    return found


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: f"{rule.code} {rule.name}")
def test_the_examples_of_a_rule(rule: Rule) -> None:
    """The bad example breaks this rule and no other; the good one breaks none."""
    assert set(hits(rule.bad, rule.profile)) == {rule.code}
    assert hits(rule.good, rule.profile) == []


def test_codes_and_names_are_unique() -> None:
    """A waiver means one rule."""
    names = [part for rule in all_rules() for part in (rule.code, rule.name)]
    assert len(names) == len(set(names))


def test_a_rule_has_the_file_of_its_name() -> None:
    """What a finding is called is where its rule stands."""
    for rule in all_rules():
        assert rule.check.__module__.rsplit(".", 1)[1] == rule.name.replace("-", "_")


def test_the_page_is_made_from_the_rules() -> None:
    """docs/rules.md is what `todo-sql lint --rules` prints."""
    assert PAGE.read_text(encoding="utf-8") == render()
