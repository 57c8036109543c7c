"""Wall time of `--help` and `status` against yoyo's and alembic's, interleaved, medians.

    python benchmarks/startup.py [--rounds 21]

Each command runs in a process of its own, in turn, on the same migrated database. yoyo
comes with todo-sql; Alembic is installed from PyPI, once, below `.todo-sql/peers`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from todo_sql.embedded.temporary import temporary_server
from todo_sql.migrations import migrate

PROJECT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
ALEMBIC = PROJECT / ".todo-sql" / "peers" / "alembic" / "bin"


def commands(folder: Path, url: str) -> dict[str, list[str]]:
    """Return what is compared; each alembic command has its folder made beforehand."""
    driver = url.replace("postgresql://", "postgresql+psycopg://")
    alembic = folder / "alembic"
    subprocess.run(
        [ALEMBIC / "alembic", "init", alembic], cwd=folder, check=True, capture_output=True
    )
    ini = folder / "alembic.ini"
    lines = ini.read_text().splitlines()
    ini.write_text(
        "\n".join(
            f"sqlalchemy.url = {driver.replace('%', '%%')}"
            if line.startswith("sqlalchemy.url")
            else line
            for line in lines
        )
    )
    subprocess.run(
        [ALEMBIC / "alembic", "revision", "-m", "first"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    yoyo = [str(BIN / "yoyo")]
    listed = ["list", "--no-config-file", "--batch", "--database", driver, "migrations"]
    return {
        "todo-sql --help": [str(BIN / "todo-sql"), "--help"],
        "yoyo --help": [*yoyo, "--help"],
        "alembic --help": [str(ALEMBIC / "alembic"), "--help"],
        "todo-sql status": [
            *(str(BIN / "todo-sql"), "status"),
            *("--project", str(PROJECT), "--database", url),
        ],
        "yoyo list": [*yoyo, *listed],
        "alembic current": [str(ALEMBIC / "alembic"), "current"],
    }


def install_alembic() -> None:
    """Make a virtual environment for Alembic unless there is one."""
    if not (ALEMBIC / "alembic").exists():
        venv.create(ALEMBIC.parent, with_pip=True)
        packages = ["alembic", "psycopg[binary]"]
        subprocess.run([ALEMBIC / "pip", "install", "--quiet", *packages], check=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=21)
    rounds = parser.parse_args().rounds
    install_alembic()
    environment = {**os.environ, "NO_COLOR": "1"}
    with temporary_server(18) as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = server.url()
        migrate(url, PROJECT / "migrations")
        (folder / "migrations").symlink_to(PROJECT / "migrations")
        compared = commands(folder, url)
        taken: dict[str, list[float]] = {label: [] for label in compared}
        for number in range(rounds + 1):
            for label, command in compared.items():
                begin = time.perf_counter()
                subprocess.run(
                    command, cwd=folder, env=environment, check=True, capture_output=True
                )
                if number:  # the first round warms the caches
                    taken[label].append(time.perf_counter() - begin)
    print(f"{'command':<18}  median ms   min ms    ({rounds} rounds, interleaved)")
    for label, seconds in taken.items():
        print(f"{label:<18}  {statistics.median(seconds) * 1000:9.0f}{min(seconds) * 1000:9.0f}")


if __name__ == "__main__":
    main()
