"""Nothing that an attacker plants under a name that our functions mention runs or is read.

The names come from the catalog: a function of tomorrow is attacked as soon as it is there.
"""

from __future__ import annotations

import pytest
from support.planting import ATTACKERS, Field
from support.plants import ROUNDS

pytestmark = pytest.mark.database


@pytest.mark.parametrize("round", ROUNDS)
@pytest.mark.parametrize("place", ["pg_temp", "open_door", "public"])
def test_nothing_planted_runs(field: Field, place: str, round: str) -> None:
    """Whoever fires whatever function or trigger, with whatever planted under its words."""
    assert field.attack(place, round, (*ATTACKERS, "owner")) == []


def test_every_function_is_fired(field: Field) -> None:
    """What the attacks do not call, they say nothing of: teach `touches` to call it."""
    field.attack("open_door", "view", (*ATTACKERS, "owner"))
    assert field.functions() - field.fired() == set()


def test_the_former_schema_is_caught(former_field: Field) -> None:
    """The attack that was found: a domain in pg_temp, run by record_change as the owner."""
    found = former_field.attack("pg_temp", "domain", ("login_app", "login_auth"))
    for role in ("login_app", "login_auth"):
        assert f"domain jsonb in pg_temp ran as another role, fired by {role}" in found
