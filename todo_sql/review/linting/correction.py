"""Certain fixes, written into files: those of our rules, and of sqlfluff's what means the same."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from todo_sql import writing
from todo_sql.config import Config
from todo_sql.migrations.files.directives import leading_comments
from todo_sql.paths import real_path
from todo_sql.queries.loader import has_header, read_text
from todo_sql.queries.variants import variants
from todo_sql.review.linting.in_git import committed
from todo_sql.review.linting.lint import Review
from todo_sql.review.linting.rule import Edit
from todo_sql.review.linting.style import Style, installed, too_much
from todo_sql.review.linting.tree import shape
from todo_sql.sql.grammar import GrammarError, parse
from todo_sql.sql.pieces import is_plain
from todo_sql.sql.source import Source


@dataclass(frozen=True)
class Corrected:
    """What `mend` did.

    Attributes:
        changed: The files that it wrote.
        left: Those that it left alone, each with the reason.
    """

    changed: tuple[str, ...]
    left: tuple[str, ...]


def mend(
    config: Config, review: Review, only: frozenset[Path] | None, applied: Set[str] = frozenset()
) -> Corrected:
    """Write certain fixes into files.

    What sqlfluff writes is taken where the parse tree proves that it means the same. Migrations
    that are committed may be applied somewhere, and are changed only if named in `only`.

    Args:
        only: The files that may be changed; default: all.
        applied: The migrations that are applied, which are never changed.
    """
    keep = committed(config) if only is None else frozenset()
    by_file: dict[str, list[Edit]] = {}
    for file, edit in review.edits:
        by_file.setdefault(file.name, []).append(edit)
    queries = sorted(config.queries.rglob("*.sql"))
    texts = [*(Source.read(path, config.root) for path in queries), *review.outside.values()]
    style = Style(config.root, None, texts) if installed() else None
    changed, left = [], []
    folders = config.migration_folders
    scripts = sorted(path for folder in folders for path in folder.rglob("*.sql"))
    for path in [*scripts, *queries, *review.outside]:
        if only is not None and real_path(path) not in only:
            continue
        migration = any(path.is_relative_to(folder) for folder in folders)
        if migration and real_path(path) in keep:
            continue
        source = Source.read(path, config.root)
        if too_much(source.text):
            continue
        outside = path in review.outside and has_header(source)
        query = outside or path.is_relative_to(config.queries)
        if migration and not is_plain(source.text.encode()):
            left.append(f"{source.file}: it holds data, or names another file")
            continue
        text = source.text
        for edit in sorted(by_file.get(source.file, ()), key=lambda edit: -edit.start):
            text = text[: edit.start] + edit.text + text[edit.end :]
        if style is not None:
            before = Source(source.file, text)
            after = Source(source.file, style.mended(before))
            if after.text != text and not same(before, after, query=query):
                left.append(f"{source.file}: its style cannot be corrected without its meaning")
            else:
                text = after.text
        if text == source.text:
            continue
        if migration and path.name.removesuffix(".sql").removesuffix(".rollback") in applied:
            left.append(f"{source.file}: it is applied, and would count as modified")
            continue
        # Outside of the project only what a person named is written.
        named = path in review.outside and not path.is_relative_to(config.root)
        writing.write(path, text, path.parent if named else config.root)
        changed.append(source.file)
    return Corrected(tuple(changed), tuple(left))


_VARIANTS = 64  # of a query; the others are made of the same lines


def same(before: Source, after: Source, *, query: bool) -> bool:
    """Return whether two texts, of queries or of a migration, are proved to mean the same."""
    meant = [_meaning(one, query=query) for one in (before, after)]
    return meant[0] is not None and meant[0] == meant[1]


def _meaning(source: Source, *, query: bool) -> object:
    """Return what a text says and the shapes of its trees; None: there is none for certain."""
    parts: list[tuple[list[str], list[str]]]
    if query:
        queries, mistakes = read_text(source)
        if mistakes:
            return None
        texts = ([one.sql for one in islice(variants(query), _VARIANTS)] for query in queries)
        parts = [([one.name, one.doc], some) for one, some in zip(queries, texts, strict=True)]
    else:
        said = [comment.strip() for _, comment in leading_comments(source.text)]
        parts = [(said, [source.text])]
    try:
        parsed = [(said, [parse(text) for text in texts]) for said, texts in parts]
    except GrammarError:
        return None
    if any(one.unseen for _, texts in parsed for text in texts for one in text):
        return None
    return [(said, [[shape(one.node) for one in text] for text in texts]) for said, texts in parsed]
