"""The examples of docs/connections.md work as written."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from support.pgbouncer import pgbouncer

pytest_plugins = ["support.session_fixtures"]

DOCUMENT = Path(__file__).parents[2] / "docs" / "connections.md"


def examples() -> list[Any]:
    """Return each Python example under the heading above it."""
    found: list[Any] = []
    heading = ""
    pattern = r"^## (?P<heading>[^\n]+)$|^```python\n(?P<code>.*?)^```$"
    for match in re.finditer(pattern, DOCUMENT.read_text(), re.MULTILINE | re.DOTALL):
        if match["heading"]:
            heading = match["heading"]
        else:
            found.append(pytest.param(match["code"], id=f"{heading} {len(found)}"))
    return found


@pytest.fixture
def environment(two_users: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """DATABASE_URL names a Todo database that knows u1; the others stand in for it."""
    from support.sessions import add_users

    add_users(two_users, "u1")
    monkeypatch.setenv("DATABASE_URL", two_users)
    monkeypatch.setenv("REPLICA_URL", two_users)
    return two_users


@pytest.mark.parametrize("code", examples())
def test_example(
    code: str, environment: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An example runs without an error."""
    file = tmp_path / "example.py"
    file.write_text(code)
    if "POOLER_URL" in code:
        with pgbouncer(environment, pool_size=2) as url:
            monkeypatch.setenv("POOLER_URL", url)
            runpy.run_path(str(file), run_name="example")
        return
    names = runpy.run_path(str(file), run_name="example")
    if "app" in names:
        _get_tasks(names["app"])


def _get_tasks(app: Any) -> None:
    from fastapi.testclient import TestClient

    with TestClient(app) as client:
        assert client.get("/tasks", headers={"user": "u1"}).json() == []
        assert client.get("/tasks").status_code == 422


def test_spans_of_the_recipe(environment: str) -> None:
    """The OpenTelemetry recipe makes a span with name, time and rows."""
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    from opentelemetry import trace

    exporter = memory.InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    (code,) = [p.values[0] for p in examples() if "opentelemetry" in str(p.values[0])]
    code = code.replace("trace.get_tracer(", "provider.get_tracer(")
    exec(compile(code, "connections.md", "exec"), {"provider": provider, "trace": trace})
    (span,) = exporter.get_finished_spans()
    assert span.name == "tasks.sql:count_tasks"
    assert span.attributes["db.response.returned_rows"] == 1
    assert 0 < span.end_time - span.start_time < 60e9
