"""Every command of every page: run in a fresh clone with an empty HOME, or listed with a reason."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import clean_environment
from support.database import Owner, Server, database

ROOT = Path(__file__).parents[2]

# Pages whose commands a test of their own types.
ELSEWHERE = {
    "docs/coming-over.md": "tests/adoption/test_coming_over.py",
    "docs/guide.md": "tests/docs/test_guide.py",
    "examples/fastapi_backend/README.md": "examples/fastapi_backend/tests/test_readme.py",
}
BY_HAND = {
    "make test": "it is what runs this test",
    "make docs": "it installs the tools of the site, which are no part of this environment",
    "pip install 'todo-sql[all]'": "the package index has the last release, not this tree",
}
# A server of somebody's, played by the test's.
SOMEBODYS = "postgresql://owner:secret@host/todo"

BLOCK = re.compile(r"^```(console|sh|bash)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def tracked() -> list[str]:
    """Return the files that a clone would hold once everything is committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted(name for name in set(listed.split("\0")) - {""} if (ROOT / name).is_file())


def commands(page: str) -> list[str]:
    """Return the commands of a page in order; in a console they follow a dollar."""
    found = []
    for language, text in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
        for line in text.splitlines():
            shown = re.sub(r"\s{2,}# .*", "", line.removeprefix("$ "))
            if shown and (language != "console" or line.startswith("$ ")):
                found.append(shown)
    return found


PAGES = {
    page: found
    for page in sorted(tracked(), key=lambda page: page != "README.md")
    if page.endswith(".md") and not page.startswith("tests/") and (found := commands(page))
}


@pytest.fixture(scope="module")
def clone() -> Iterator[Path]:
    """A clone that nothing was run in, and beside it an empty home.

    Its environment sees the packages of this one, so that only the toolkit is installed anew.
    """
    with tempfile.TemporaryDirectory(prefix="todo-sql-test-") as name:
        Path(name).chmod(0o755)  # the account that PostgreSQL runs as passes through
        place = Path(name) / "clone"
        for file in tracked():
            (place / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, place / file)
        (Path(name) / "home").mkdir()
        venv = place / ".venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
        (packages,) = venv.glob("lib/python*/site-packages")
        (packages / "these.pth").write_text(sysconfig.get_path("purelib") + "\n")
        try:
            yield place
        finally:
            run(["todo-sql db stop"], place)


def run(lines: list[str], place: Path, server: str = "") -> subprocess.CompletedProcess[str]:
    """Run commands in one shell, which stops at the first that fails and shows each."""
    script = "\n".join(line.replace(SOMEBODYS, server) for line in lines)
    return subprocess.run(
        ["bash", "-exc", f'PATH="$PWD/.venv/bin:$PATH"\n{script}'],
        cwd=place,
        env=clean_environment(HOME=str(place.parent / "home"), PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.long
def test_every_command_works(clone: Path, server: Server, owner: Owner) -> None:
    """Page by page, the first page first: it builds what all others use."""
    assert next(iter(PAGES)) == "README.md" and PAGES["README.md"][0] == "make demo"
    for page, found in PAGES.items():
        if page in ELSEWHERE:
            assert (ROOT / ELSEWHERE[page]).is_file()
            continue
        with database(server, owner) as name:
            lines = [line for line in found if line not in BY_HAND]
            done = run(lines, clone, server.url(name, owner.name))
        assert done.returncode == 0, f"{page}\n{done.stdout}{done.stderr}"
    # What the commands wrote is what the repository holds.
    for file in tracked():
        assert (clone / file).read_bytes() == (ROOT / file).read_bytes(), file


def test_no_command_is_listed_that_is_not_shown() -> None:
    """The list of what is run by hand stays short and true."""
    assert set(BY_HAND) <= {line for found in PAGES.values() for line in found}
    assert set(ELSEWHERE) <= set(PAGES)


def benchmarks() -> set[str]:
    """Return the scripts that a page tells to run."""
    named: set[str] = set()
    for page in tracked():
        if page.endswith(".md"):
            text = (ROOT / page).read_text(encoding="utf-8")
            named |= set(re.findall(r"python (benchmarks/\w+\.py)", text))
    return named


@pytest.mark.parametrize("script", sorted(benchmarks()))
def test_every_benchmark_starts(script: str) -> None:
    """It finds all that it imports, and tells its options; measuring for minutes is by hand."""
    done = subprocess.run(
        [sys.executable, ROOT / script, "--help"],
        env=clean_environment(PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout
