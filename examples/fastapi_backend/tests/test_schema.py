"""The OpenAPI document: true to the database, and true of the running application."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from live import serve
from people import Person

# `make fuzz` raises it: more than 2,000 requests, in every way that schemathesis knows.
CONFIG = Path(__file__).parent.parent / "schemathesis.toml"
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "2"))


def schema(app: FastAPI, model: str) -> dict[str, Any]:
    """Return the properties of a model in the document."""
    properties: dict[str, Any] = app.openapi()["components"]["schemas"][model]["properties"]
    return properties


@pytest.mark.parametrize("model", ["TaskCreate", "TaskUpdate", "TaskOut"])
def test_the_checks_of_the_database_are_in_the_document(app: FastAPI, model: str) -> None:
    """Lengths and enumerations are those of the CHECK constraints, in requests and answers."""
    task = schema(app, model)
    assert task["title"]["minLength"] == 1
    assert task["title"]["maxLength"] == 200
    text, null = task["description"]["anyOf"]
    assert (text["maxLength"], null) == (1000, {"type": "null"})
    assert task["priority"]["enum"] == ["low", "medium", "high"]


def test_no_inner_id_is_in_the_document(app: FastAPI) -> None:
    """People outside know the public_id alone."""
    for name, model in app.openapi()["components"]["schemas"].items():
        assert not {"id", "list_id", "row_id", "task_id"} & set(model.get("properties", ())) or (
            name == "UserProfile"
        ), name


def test_generated_requests_meet_no_fault(app: FastAPI, sign_in: Person, tmp_path: Path) -> None:
    """schemathesis finds no 5xx and no answer that the document does not allow."""
    cookie = sign_in("fuzzer").headers["Cookie"]
    program = Path(sys.executable).with_name("schemathesis")
    with serve(app) as url:
        run = subprocess.run(
            [
                *(
                    program,
                    "--config-file",
                    CONFIG,
                    "run",
                    f"{url}/openapi.json",
                    "--header",
                    f"Cookie: {cookie}",
                ),
                *("--phases", "fuzzing" if EXAMPLES < 10 else "examples,coverage,fuzzing,stateful"),
                *("--max-examples", str(EXAMPLES), "--seed", "1", "--no-color"),
                *("--suppress-health-check", "all", "--request-timeout", "10"),
            ],
            cwd=tmp_path,  # it leaves a folder with what it found
            capture_output=True,
            text=True,
            check=False,
        )
    print(run.stdout)
    assert run.returncode == 0, run.stdout + run.stderr
    found = re.search(r"(\d+) generated", run.stdout)
    assert found and int(found[1]) > 20 * EXAMPLES
