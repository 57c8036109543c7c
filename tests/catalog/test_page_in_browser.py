"""The page that `docs` writes, laid out by a real browser: what a person would see of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "specs" / "database" / "schema.html"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# Measures the page once it is laid out, and leaves what it found in the document.
MEASURE = """
<script>
addEventListener("load", () => {
  const letters = [...document.querySelectorAll("svg text")].filter((text) => text.textContent);
  const box = document.querySelector("svg").getBoundingClientRect();
  const outside = letters.filter((text) => {
    const at = text.getBoundingClientRect();
    return at.left < box.left || at.right > box.right || at.bottom > box.bottom;
  });
  const tooWide = [...document.querySelectorAll(".scroll")].filter(
    (part) => part.scrollWidth > part.clientWidth + 1
  );
  const found = {
    ink: getComputedStyle(document.body).color,
    paper: getComputedStyle(document.body).backgroundColor,
    page_too_wide: document.documentElement.scrollWidth > innerWidth,
    parts_too_wide: tooWide.map((part) => part.closest("section").id),
    highest_row: Math.max(...[...document.querySelectorAll("tr")].map((row) => row.offsetHeight)),
    letters_outside: outside.map((text) => text.textContent),
    smallest_letters: Math.min(...letters.map((text) => text.getBoundingClientRect().height)),
    dead_links: [...document.querySelectorAll("nav a")]
      .map((link) => link.hash.slice(1))
      .filter((name) => !document.getElementById(name)),
    drawn: document.querySelectorAll("svg .head").length,
    tables: document.querySelectorAll("nav ul:nth-of-type(2) a").length,
  };
  const note = document.createElement("pre");
  note.id = "measured";
  note.textContent = JSON.stringify(found);
  document.body.append(note);
});
</script>
"""


def measured(folder: Path, width: int, *options: str) -> dict[str, Any]:
    """Lay the page out in a window of a width and return what was measured."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no browser here")
    page = folder / "page.html"
    page.write_text(PAGE.read_text(encoding="utf-8").replace("</body>", MEASURE + "</body>"))
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    run = subprocess.run(
        [
            *command,
            f"--user-data-dir={folder / 'profile'}",
            f"--window-size={width},900",
            "--virtual-time-budget=5000",
            *options,
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = re.search(r'<pre id="measured">(.*?)</pre>', run.stdout, re.DOTALL)
    assert found, run.stderr
    facts: dict[str, Any] = json.loads(unescape(found[1]))
    return facts


def test_the_page_reads_well(tmp_path: Path) -> None:
    """On a desktop nothing has to be scrolled sideways, and the diagram is whole and legible."""
    facts = measured(tmp_path, 1280)
    assert not facts["page_too_wide"]
    assert facts["parts_too_wide"] == []
    assert facts["letters_outside"] == []
    assert facts["dead_links"] == []
    assert facts["drawn"] == facts["tables"] > 5
    assert facts["smallest_letters"] > 7
    assert facts["highest_row"] < 150


def test_the_page_on_a_telephone_by_night(tmp_path: Path) -> None:
    """Wide parts scroll within the page, rows do not grow into columns, and it is dark."""
    facts = measured(tmp_path, 500, "--blink-settings=preferredColorScheme=0")
    assert not facts["page_too_wide"]
    assert facts["smallest_letters"] > 6
    assert facts["highest_row"] < 300
    assert brightness(facts["paper"]) < 60 < 180 < brightness(facts["ink"])


def brightness(colour: str) -> float:
    """Return the mean of red, green and blue of ``rgb(…)``."""
    parts = [float(part) for part in re.findall(r"[\d.]+", colour)[:3]]
    return sum(parts) / 3
