"""Runs Django's migrations on a scratch database and tells what each of them sent."""

from __future__ import annotations

import inspect
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

sys.path.insert(0, str(Path(__file__).parent))

from capture import Capture, main, sent, told  # type: ignore[import-not-found]


class _DjangoRun:
    """One pass over the history."""

    def __init__(self, orders: dict[str, Any]) -> None:
        self.orders = orders
        self.now = Capture()
        self.revisions: dict[str, dict[str, Any]] = {}
        self.error: str | None = None
        self.failed: dict[str, str] | None = None

    def settle(self) -> None:
        """Set Django up with the scratch database as the only one."""
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", self.orders["settings"])
        import django
        from django.conf import settings

        there = urlsplit(self.orders["url"])
        database = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": there.path.lstrip("/"),
            "USER": unquote(there.username or ""),
            "PASSWORD": unquote(there.password or ""),
            "HOST": there.hostname or "",
            "PORT": there.port or "",
        }
        engine = settings.DATABASES.get("default", {}).get("ENGINE", database["ENGINE"])
        if "post" in engine:  # PostGIS has an engine of its own
            database["ENGINE"] = engine
        settings.DATABASES = {"default": database}
        settings.DATABASE_ROUTERS = []
        django.setup()

    def _executed(self, execute: Any, sql: Any, parameters: Any, many: bool, context: Any) -> Any:
        found = execute(sql, parameters, many, context)
        connection = context["connection"]
        raw = connection.connection
        cursor = getattr(context["cursor"], "cursor", context["cursor"])
        text = sql if isinstance(sql, str) else sql.as_string(raw)
        for one in parameters if many else [parameters]:
            said = sent(None if many else cursor, raw, text, one)
            self.now.add(said, not said.lstrip().lower().startswith("select"))
        return found

    def go(self, *, down: bool) -> None:
        from django.db import connection
        from django.db.migrations.executor import MigrationExecutor

        executor = MigrationExecutor(connection)
        graph = executor.loader.graph
        # Each stands after those that it depends on, apps in the order of their names.
        ordered = dict.fromkeys(
            key for leaf in sorted(graph.leaf_nodes()) for key in graph.forwards_plan(leaf)
        )
        applied = executor.loader.applied_migrations
        plan = [graph.nodes[key] for key in ordered if key in applied or not down]
        keys = [f"{one.app_label}.{one.name}" for one in plan]
        if self.orders["stop"] in keys:  # only what comes before it
            del plan[keys.index(self.orders["stop"]) :]
        executor.recorder.ensure_schema()
        state = executor._create_project_state(with_applied_migrations=False)
        states = {}
        for migration in plan:
            states[migration] = state.clone()
            if down:
                state = migration.mutate_state(state, preserve=False)
        order = reversed(plan) if down else plan
        with connection.execute_wrapper(self._executed):
            for migration in order:
                self.now = Capture()
                try:
                    if down:
                        executor.unapply_migration(states[migration], migration)
                    else:
                        state = executor.apply_migration(state, migration)
                except BaseException as error:
                    self.error = told(error, self.orders["root"])
                    path = inspect.getfile(type(migration))
                    key = f"{migration.app_label}.{migration.name}"
                    self.failed = {"key": key, "path": path}
                    return
                self._keep(migration, graph)

    def _keep(self, migration: Any, graph: Any) -> None:
        key = f"{migration.app_label}.{migration.name}"
        names = [type(operation).__name__ for operation in migration.operations]
        parents = graph.node_map[(migration.app_label, migration.name)].parents
        found = self.now.as_dict()
        self.revisions[key] = {
            "name": f"{migration.app_label}_{migration.name}",
            "path": inspect.getfile(type(migration)),
            "created": "",
            "depends": [".".join(parent.key) for parent in sorted(parents)],
            "replaces": [".".join(one) for one in migration.replaces],
            **found,
            "outside": not migration.atomic,
            # A function that read rows, or may have: an empty database shows nothing of it.
            "read_rows": "RunPython" in names and not _nothing(migration),
        }


def _nothing(migration: Any) -> bool:
    """Tell whether each function of a migration is the one that does nothing."""
    from django.db.migrations import RunPython

    return all(
        one.code is RunPython.noop for one in migration.operations if isinstance(one, RunPython)
    )


def _run(orders: dict[str, Any]) -> dict[str, Any]:
    run = _DjangoRun(orders)
    run.settle()
    run.go(down=orders["pass"] == "down")
    return {
        "revisions": run.revisions,
        "before": [],
        "after": [],
        "error": run.error,
        "failed": run.failed,
        "ledger": (None, "django_migrations"),
    }


main(_run)
