"""Runs repeatable files where `create or replace` does not do: in one transaction.

A view whose columns change, a function whose result changes, a view that others stand on: what
is in the way is dropped with all that stands on it, the file's own statement makes it anew, it
gets back its owner, privileges, comments and triggers, and what stood on it is made again as
it was. What another pending file makes anew is left to that file, which then runs in the same
transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import psycopg

from todo_sql.catalog.snapshot import Snapshot, take
from todo_sql.migrations.connecting import MigrationLink
from todo_sql.migrations.engine import watch
from todo_sql.migrations.engine.failure import Failure
from todo_sql.migrations.engine.made import resolve
from todo_sql.migrations.engine.settings import OURS, THEIRS, hold_of, quiet, reset, settings
from todo_sql.migrations.engine.standing import InTheWay, belongings, drops, making, users
from todo_sql.migrations.engine.transactional import CONSTRAINTS, statement_of, until_done
from todo_sql.migrations.files.migration import Script
from todo_sql.migrations.files.statements import in_short
from todo_sql.migrations.migration_errors import MigrationFailed
from todo_sql.migrations.progress import Events
from todo_sql.wire.flight import FlightCommand
from todo_sql.wire.pipeline import ConnectionLost

# What `create or replace` and `drop` say when others, or another shape, are in the way.
_IN_THE_WAY = ("42P16", "42P13", "2BP01")
_KEEP_PATH = FlightCommand(
    "select pg_catalog.set_config('todo_sql.path', pg_catalog.current_setting('search_path'), true)"
)
_RESTORE_PATH = FlightCommand(
    "select pg_catalog.set_config('search_path', pg_catalog.current_setting('todo_sql.path'), true)"
)
_COLUMNS = (
    "select pg_catalog.quote_ident(a.attname) from pg_catalog.pg_attribute as a "
    "where a.attrelid operator(pg_catalog.=) pg_catalog.to_regclass($1) "
    "and a.attnum operator(pg_catalog.>) '0'::pg_catalog.int2 and not a.attisdropped"
)


@dataclass
class Remake:
    """Files that run in one transaction, with what they replace made anew.

    Attributes:
        first: Names the place of what goes wrong before a file runs, and the settings for it.
        scripts: The files, in order.
        others: Further files that may have to run in the same transaction.
        bookkeeping: Makes the commands that change the ledger, given the files that ran.
        creation: Makes what is missing of the ledger's tables.
        down: The keys of objects that are dropped beforehand, with what stands on them.
        gone: Those of them that are not made again.
        again: The command that one runs when a file is corrected.
    """

    link: MigrationLink
    first: Script
    scripts: list[Script]
    events: Events
    bookkeeping: Callable[[Sequence[Script]], Sequence[FlightCommand]]
    others: Sequence[Script] = ()
    creation: Sequence[FlightCommand] = ()
    down: Callable[[MigrationLink], Iterable[str]] = lambda link: ()
    gone: Callable[[MigrationLink], Iterable[str]] = lambda link: ()
    again: str = "todo-sql migrate"
    points: set[tuple[int, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.taken: set[str] = set()
        self.given = len(self.scripts)

    def takes(self, failure: Failure) -> bool:
        """Tell whether a failure of the first file may be got around."""
        return self._add(failure, self.first)

    def run(self) -> list[Script]:
        """Run the files; return those that ran. What fails has changed nothing."""
        state = "the transaction was rolled back, nothing changed"
        until_done(self._attempt, state, self.again, self.events)
        return self.scripts

    def _add(self, failure: Failure, script: Script) -> bool:
        number = failure.number
        if number is None or failure.error.sqlstate not in _IN_THE_WAY:
            return False
        kinds = ("view_stmt", "create_function_stmt", "drop_stmt")
        if script.statements[number].kind not in kinds or (id(script), number) in self.points:
            return False
        self.points.add((id(script), number))
        return True

    def _attempt(self) -> tuple[Failure, Script] | None:
        while True:
            del self.scripts[self.given :]
            failed = _Transaction(self).attempt()
            if failed is None or not self._add(*failed):
                return failed


class _Transaction:
    def __init__(self, remake: Remake) -> None:
        self._remake = remake
        self._link = remake.link
        self._live: Snapshot | None = None
        self._made: dict[tuple[int, int], str] = {}
        self._down: list[str] = []
        self._redone: set[str] = set()

    def attempt(self) -> tuple[Failure, Script] | None:
        """Do it all; what fails is rolled back and returned with its file."""
        try:
            return self._run()
        except ConnectionLost:
            raise
        except psycopg.Error as error:
            self._link.roll_back()
            return Failure(error, None), self._remake.first

    def _run(self) -> tuple[Failure, Script] | None:
        link, remake = self._link, self._remake
        proof = link.lock.require()
        self._ours([FlightCommand("begin read write"), *quiet(link), settings(remake.first, link)])
        self._prove(proof)
        self._ours(remake.creation)
        live = self._live = take(link.connection)
        gone = set(remake.gone(link))
        for script in (*remake.scripts, *remake.others):
            for number, key in resolve(link, script).items():
                self._made[id(script), number] = key
        self._take_down([*remake.down(link), *gone], remake.first, None)
        for script in remake.scripts:  # grows
            failed = self._file(script)
            if failed is not None:
                link.roll_back()
                return failed, script
            self._join()
        last = [remake.first, *remake.scripts][-1]
        self._ours([*quiet(link), settings(last, link)])
        apart = self._redone | gone
        left = [key for key in self._down if key not in apart and not _below(live, key, apart)]
        self._within(making(live, left), last, None)
        self._ours([*reset(link.target), *quiet(link), settings(last, link)])
        self._prove(proof)
        try:
            link.fly([*remake.bookkeeping(remake.scripts), FlightCommand("commit")])
        except psycopg.Error as error:
            link.roll_back()
            return Failure(error, None, recording=True), last
        link.unsettled = False
        return None

    def _file(self, script: Script) -> Failure | None:
        """Run the statements of a file, and see to what each makes anew."""
        self._ours([*quiet(self._link), settings(script, self._link), THEIRS])
        begin = 0
        for number in range(len(script.statements)):
            key = self._made.get((id(script), number))
            point = (id(script), number) in self._remake.points
            if not point and key not in self._down:
                continue
            failed = self._statements(script, begin, number)
            if failed is not None:
                return failed
            dropping = script.statements[number].kind == "drop_stmt"
            if point and key is not None and key not in self._down:
                self._take_down([key], script, number, itself=not dropping)
            failed = self._statements(script, number, number + 1)
            if failed is not None:
                return failed
            begin = number + 1
            if key is not None and not dropping and key in self._down:
                self._give_back(key, script, number)
        failed = self._statements(script, begin, len(script.statements))
        if failed is None:
            self._ours(reset(self._link.target))
        return failed

    def _statements(self, script: Script, begin: int, end: int) -> Failure | None:
        commands = [statement_of(script, number) for number in range(begin, end)]
        if end == len(script.statements):
            commands.append(CONSTRAINTS)
        if not commands:
            return None
        remake = self._remake
        answers, exceeded = watch.fly(self._link, commands, script, remake.events, hold_of(script))
        for command, answer in zip(commands, answers, strict=False):
            if answer.error is not None:
                return Failure(answer.error, command.statement, exceeded=exceeded)
        return None

    def _take_down(
        self, keys: Iterable[str], script: Script, number: int | None, *, itself: bool = True
    ) -> None:
        """Drop objects and what stands on them."""
        assert self._live
        roots = [key for key in keys if key not in self._down]
        try:
            found = [key for key in users(self._live, roots) if key not in self._down]
        except InTheWay as error:
            raise self._refused(script, number, f"{error.what} would be lost", None) from None
        if not itself:
            below = {part.key for root in roots for part in self._live.parts(root)}
            found = [key for key in found if key not in roots and key not in below]
        self._down += found
        self._remake.taken |= {key for key in found if self._live.items[key].parent is None}
        self._within(drops(self._live, found), script, number)

    def _give_back(self, key: str, script: Script, number: int) -> None:
        """Give what was made anew its owner, privileges, comments and triggers."""
        assert self._live
        self._redone.add(key)
        name = key.removeprefix("materialized ").split(" ", 1)[1]
        asked = [_KEEP_PATH, OURS, FlightCommand(_COLUMNS, (name,)), _RESTORE_PATH]
        rows = () if key.startswith("function ") else self._link.fly(asked)[2].rows
        columns = {str(row[0]) for row in rows}
        self._within(belongings(self._live, key, columns), script, number)

    def _within(self, texts: Iterable[str], script: Script, number: int | None) -> None:
        """Run statements of ours amid a file, whose search path stays."""
        try:
            every = list(texts)
        except InTheWay as error:
            raise self._refused(script, number, f"{error.what} cannot be made", None) from None
        for text in every:
            commands = [_KEEP_PATH, OURS, FlightCommand(text), _RESTORE_PATH]
            try:
                self._link.fly(commands)
            except psycopg.Error as error:
                if error.sqlstate in ("55P03", "40P01", "57014"):
                    raise
                raise self._refused(script, number, f"`{in_short(text)}` fails", error) from None

    def _refused(
        self, script: Script, number: int | None, why: str, error: psycopg.Error | None
    ) -> MigrationFailed:
        self._link.roll_back()
        place = script.source.place(0)
        if number is not None:
            place = script.place_of(script.statements[number])
        said = f": {error.diag.message_primary}" if error is not None else ""
        return MigrationFailed(
            f"what stands on the objects of {script.source.file} is in the way: {why}{said}",
            code="M340",
            place=place,
            sqlstate=error.sqlstate if error is not None else None,
            cause="it is dropped and made again as it was, in the same transaction; that was "
            "rolled back, nothing changed",
            fix="change what stands on it in a repeatable file as well, or drop it in a versioned "
            "migration",
        )

    def _join(self) -> None:
        """Let the pending files that make what is down run in this transaction, too."""
        remake = self._remake
        down = set(self._down) - self._redone
        for script in remake.others:
            made = {key for (one, _), key in self._made.items() if one == id(script)}
            if made & down and script not in remake.scripts:
                remake.scripts.append(script)

    def _ours(self, commands: Sequence[FlightCommand]) -> None:
        if commands:
            self._link.fly(list(commands))

    def _prove(self, proof: FlightCommand) -> None:
        try:
            self._link.fly([OURS, proof])
        except psycopg.Error:
            self._link.roll_back()
            raise self._link.lock.lost() from None


def _below(snapshot: Snapshot, key: str, roots: set[str]) -> bool:
    """Tell whether an object is a part of one of some objects."""
    item = snapshot.items.get(key)
    while item is not None and item.parent is not None:
        if item.parent in roots:
            return True
        item = snapshot.items.get(item.parent)
    return False
