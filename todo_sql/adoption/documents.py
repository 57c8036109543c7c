"""Documents of other tools in YAML or JSON: data, however much they make of little. Pure."""

from __future__ import annotations

import json
from typing import Any

from todo_sql.sql.source import Source

_LONGEST = 2_000_000  # characters; PyYAML reads some hundred thousand in a second


def document(source: Source) -> Any:
    """Return what a document holds.

    Raises:
        ValueError: It cannot be read; the message is one line.
    """
    if len(source.text) > _LONGEST:
        raise ValueError(f"it has more than {_LONGEST} characters")
    try:
        return json.loads(source.text) if source.file.endswith(".json") else _yaml(source.text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def text_of(given: object) -> str:
    """Return a text or a number of a document.

    Of anything else the name of its kind: a list of lists by aliases would be endless.
    """
    plain = isinstance(given, str | int | float)
    return str(given) if plain else "" if given is None else f"({type(given).__name__})"


def listed(given: object) -> list[object]:
    """Return what a list of a document holds, or the one value in its place."""
    return given if isinstance(given, list) else [] if given is None else [given]


def _yaml(text: str) -> Any:
    try:
        import yaml  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise ValueError("PyYAML is not installed: `pip install pyyaml`") from None

    class Loader(yaml.SafeLoader):  # type: ignore[misc, unused-ignore]
        def flatten_mapping(self, node: Any) -> None:
            """Merge as ever, and keep one of each key: merges of merges would be endless."""
            super().flatten_mapping(node)
            pairs = {(key.tag, str(key.value)): (key, value) for key, value in node.value}
            node.value = list(pairs.values())

    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise ValueError(str(error).splitlines()[0]) from None
