"""An attack: plant objects, fire everything as some role, see what of them ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from support.people import Connection
from support.plants import Plant, mentioned, plant, plants, sprung
from support.touching import Outcome, run, touches

ATTACKERS = ("login_app", "login_auth", "login_readonly")

PATHS = {
    "pg_temp": "pg_temp, pg_catalog, public",
    "open_door": "open_door, pg_catalog, public",
    "public": "public, pg_catalog",
}
"""Where an attacker plants, and the search_path of who then fires."""


@dataclass(frozen=True)
class Field:
    """A database under attack.

    Attributes:
        admin: A superuser's connection, who takes no part.
        login: Connects as a login, or as ``owner``.
        url: The URL of such a login.
        planted: Counts the objects, by kind.
        known: How statements end where nothing is planted, by role and statements.
    """

    admin: Connection
    login: Callable[[str], Connection]
    url: Callable[[str], str]
    planted: Counter[str]
    known: dict[tuple[str, ...], list[Outcome]]

    def attack(self, place: str, round: str, roles: tuple[str, ...]) -> list[str]:
        """Plant one round of objects in a place, fire everything as each role.

        In pg_temp each plants for itself; elsewhere `login_app` plants for all of them.

        Returns:
            What ran, and which statements ended differently than without plants.
        """
        owner = self.login("owner")
        statements = touches(owner)
        objects = plants(owner, place, mentioned(owner), round)
        before = {role: self._undisturbed(role, statements) for role in roles}
        if place != "pg_temp":
            self._count(plant(self.login("login_app"), place, objects))
        found: list[str] = []
        for role in roles:
            session, after = self._fire(
                role, statements, PATHS[place], (place, objects) if place == "pg_temp" else None
            )
            found += [
                f"{what} in {place} ran {as_whom}, fired by {role}"
                for what, as_whom in sprung(self.admin, session, objects)
            ]
            found += [
                f"{round} in {place}: as {role} `{statement[:60]}` ends {then}, not {now}"
                for statement, then, now in zip(statements, after, before[role], strict=True)
                if then != now
            ]
            session.close()
        return found

    def _undisturbed(self, role: str, statements: list[str]) -> list[Outcome]:
        """Return how statements end where nothing is planted; the same for the same ones."""
        key = (role, *statements)
        if key not in self.known:
            session, self.known[key] = self._fire(role, statements, "pg_catalog, public")
            session.close()
        return self.known[key]

    def _fire(
        self,
        role: str,
        statements: list[str],
        path: str,
        planting: tuple[str, list[Plant]] | None = None,
    ) -> tuple[Connection, list[Outcome]]:
        session = self.login(role)
        if planting:
            self._count(plant(session, *planting))
        if role == "login_app":
            session.execute("select pg_catalog.set_config('app.current_user_id', 'ada', false)")
        session.execute("select pg_catalog.set_config('search_path', %s, false)", [path])
        outcomes = run(session, statements)
        session.execute("select pg_catalog.pg_stat_force_next_flush()")
        return session, outcomes

    def _count(self, made: list[Plant]) -> None:
        self.planted.update(word for one in made for word in ("objects", f"{one.kind}s"))

    def fired(self) -> set[str]:
        """Return the functions of the schema that were called so far."""
        return {row[0] for row in self._rows("select funcname from pg_stat_user_functions")}

    def functions(self) -> set[str]:
        """Return the functions of the schema that look names up when they run.

        A body that was parsed when it was made does not, and is put in the place of its call.
        """
        return {
            row[0]
            for row in self._rows(
                "select proname from pg_proc where pronamespace = 'public'::regnamespace"
                " and prokind in ('f', 'p') and prosqlbody is null and not exists ("
                "select from pg_depend as e where e.objid = pg_proc.oid and e.deptype = 'e')"
            )
        }

    def _rows(self, query: str) -> list[Any]:
        return self.admin.execute(query.encode()).fetchall()
