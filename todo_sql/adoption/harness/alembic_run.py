"""Runs an Alembic history on a scratch database and tells what each revision sent."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from capture import Capture, main, sent, told  # type: ignore[import-not-found]

_CREATED = re.compile(r"Create Date:\s*(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)")


class _AlembicRun:
    """One pass over the history."""

    def __init__(self, orders: dict[str, Any]) -> None:
        self.orders = orders
        self.before, self.after = Capture(), Capture()
        self.now = self.before
        self.ledger: tuple[str | None, str] = (None, "alembic_version")
        self.revisions: dict[str, dict[str, Any]] = {}
        self.error: str | None = None
        self.failed: dict[str, str] | None = None
        self._position: str | None = None

    def listen(self) -> None:
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        event.listen(Engine, "after_cursor_execute", self._executed)
        event.listen(Engine, "commit", self._committed)
        event.listen(Engine, "first_connect", self._connected, insert=True)

    def _connected(self, dbapi_connection: Any, _record: Any) -> None:
        cursor = dbapi_connection.cursor()
        cursor.execute("select pg_catalog.current_database()")
        name = cursor.fetchone()[0]
        cursor.close()
        if name != self.orders["database"]:
            raise SystemExit(
                f"env.py connects to {name}, not to the scratch database: it takes its URL from "
                "elsewhere; name the environment variable: --set NAME={url}"
            )

    def _executed(
        self, conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> None:
        raw = conn.connection
        # Rows that SQLAlchemy put into one INSERT come as one set, though they were many.
        each = many and isinstance(parameters, list)
        wrote = self._wrote(raw, statement)
        for one in parameters if each else [parameters]:
            self.now.add(sent(None if each else cursor, raw, statement, one), wrote)

    def _wrote(self, raw: Any, statement: str) -> bool:
        """Tell whether the server's log went on since the statement before."""
        if not statement.lstrip().lower().startswith("select"):
            return True
        try:
            cursor = raw.cursor()
            cursor.execute("select pg_catalog.pg_current_wal_insert_lsn()::pg_catalog.text")
            place = cursor.fetchone()[0]
            cursor.close()
        except Exception:  # a driver that cannot have two cursors: the statement counts as a read
            return False
        before, self._position = self._position, place
        words = statement.lower()
        return before is not None and place != before and "(" in words and " from " not in words

    def _committed(self, _connection: Any) -> None:
        if self.now not in (self.before, self.after) and self.now.statements:
            self.now.outside = True

    def config(self) -> Any:
        from alembic.config import Config

        orders = self.orders
        words: dict[str, Any] = {"file_": orders["ini"]} if orders["ini"] else {}
        if orders["toml"] and "toml_file" in inspect.signature(Config).parameters:
            words["toml_file"] = orders["toml"]
        config = Config(**words)
        if orders["location"]:
            config.set_main_option("script_location", orders["location"])
        config.set_main_option("sqlalchemy.url", orders["url"].replace("%", "%%"))
        config.cmd_opts = None
        return config

    def go(self, *, offline: bool, down: bool) -> None:
        from alembic.runtime.environment import EnvironmentContext
        from alembic.script import ScriptDirectory

        config = self.config()
        if offline:
            config.output_buffer = self
        script = ScriptDirectory.from_config(config)

        def steps(rev: Any, context: Any) -> Any:
            found = list(
                script._downgrade_revs("base", rev) if down else script._upgrade_revs("heads", rev)
            )
            keys = [step.revision.revision for step in found]
            if self.orders["stop"] in keys:  # only what comes before it
                del found[keys.index(self.orders["stop"]) :]
            for step in found:
                self._wrap(step)
            self.ledger = (context.version_table_schema, context.version_table)
            return found

        arguments: dict[str, Any] = {"fn": steps, "as_sql": offline}
        arguments["destination_rev"] = "base" if down else "heads"
        if offline:
            arguments["dialect_opts"] = {"paramstyle": "named"}
        try:
            with EnvironmentContext(config, script, **arguments):
                script.run_env()
        except BaseException as error:  # whatever a revision raises ends the pass
            self.error = told(error, self.orders["root"])

    def _wrap(self, step: Any) -> None:
        inner = step.migration_fn

        def wrapped(**words: Any) -> None:
            capture = self.now = Capture()
            script = step.revision
            self.failed = {"key": script.revision, "path": script.path}
            try:
                inner(**words)
            finally:
                self.now = self.after
            self.failed = None
            created = _CREATED.search(script.module.__doc__ or "")
            self.revisions[script.revision] = {
                "name": script.doc if script.doc != "empty message" else Path(script.path).stem,
                "path": script.path,
                "created": "".join(created.groups()) if created else "",
                "depends": [*script._all_down_revisions],
                **capture.as_dict(),
            }

        step.migration_fn = wrapped

    # The buffer of the offline text: one call is one statement.

    def write(self, text: str) -> None:
        if self.now not in (self.before, self.after) and text.strip():
            self.now.add(text, True)

    def flush(self) -> None:
        """Do nothing."""

    def found(self) -> dict[str, Any]:
        """Return what was found; the bookkeeping of Alembic's is none of it."""
        own = re.compile(rf"(?<!\w){re.escape(self.ledger[1])}(?!\w)")

        def theirs(capture: Capture) -> list[str]:
            return [one for one in capture.statements if not own.search(one)]

        return {
            "revisions": self.revisions,
            "before": theirs(self.before),
            "after": theirs(self.after),
            "error": self.error,
            "failed": self.failed,
            "ledger": self.ledger,
        }


def _run(orders: dict[str, Any]) -> dict[str, Any]:
    run = _AlembicRun(orders)
    if orders["pass"] != "offline":
        run.listen()
    run.go(offline=orders["pass"] == "offline", down=orders["pass"] == "down")
    return run.found()


main(_run)
