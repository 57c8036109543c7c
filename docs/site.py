"""What mkdocs adds to docs/: pages made from the program, and pages of the repository's root.

Links that leave docs/ are checked against the repository and shown on its host.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from typer.main import get_command

from todo_sql.cli.app import app
from todo_sql.cli.commands import load
from todo_sql.cli.table import PROGRAM, VERBS

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
_LINK = re.compile(r"(?<=\]\()([^)#\s]+)(?=[)#])")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the commands, and the pages of the root."""
    for source, name in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=text))
    files.append(File.generated(config, "commands.md", content=commands()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: Any) -> str:
    """Turn links into the repository to its host, and those to pages to the pages."""
    name = page.file.src_uri
    source = next((one for one, made in PAGES.items() if made == name), f"docs/{name}")

    def target(match: re.Match[str]) -> str:
        link = match[1]
        if "://" in link or link.startswith("mailto:"):
            return link
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
        if path in PAGES:
            return PAGES[path]
        if path.startswith("docs/"):
            return posixpath.relpath(path, posixpath.join("docs", posixpath.dirname(name)))
        if name == "commands.md":
            return link
        if not (ROOT / path).exists():
            raise PluginError(f"{source} links to {link}, which does not exist")
        return f"{config.repo_url}/blob/main/{path}"

    return _LINK.sub(target, markdown)


def commands() -> str:
    """Return the page on every command, from the program itself."""
    program: Any = get_command(app)
    context = program.context_class(program, info_name=PROGRAM)
    parts = [
        "# Commands",
        "Made from the program; `todo-sql COMMAND --help` says the same.",
        "## Global options",
        "Before or after the command.",
        _options(program, context),
    ]
    group = ""
    for verb in VERBS:
        if verb.group != group:
            group = verb.group
            parts.append(f"## {group}")
        command = load(verb)
        example = f"{PROGRAM} {verb.name} {verb.arguments}".rstrip()
        parts.append(_command(command, verb.name, context, example=example))
    return "\n\n".join(parts) + "\n"


def _command(command: Any, name: str, around: Any, *, example: str, depth: int = 3) -> str:
    context = command.context_class(command, info_name=name, parent=around)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [f"{'#' * depth} {context.command_path}", _help(command), f"```console\n$ {usage}\n```"]
    if example and example != context.command_path:
        parts.append(f"For example `{example}`.")
    parts.append(_options(command, context))
    for below in getattr(command, "commands", ()):
        one = command.get_command(context, below)
        parts.append(_command(one, below, context, example="", depth=depth + 1))
    return "\n\n".join(part for part in parts if part)


def _help(command: Any) -> str:
    return re.sub(r"[\b\f]\n?", "", command.help or "").strip()


def _options(command: Any, context: Any) -> str:
    rows = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and parameter.name != "help":
            shown, about = (text.replace("|", "\\|") for text in record)
            rows.append(f"| `{shown}` | {about} |")
    return "\n".join(["| option or argument | what |", "|---|---|", *rows]) if rows else ""
