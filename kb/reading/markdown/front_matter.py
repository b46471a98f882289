"""What stands before a Markdown file's text to be read by programs: YAML between lines of ---, or TOML between +++."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from kb.reading import text

_BLOCK = re.compile(
    r"(?P<fence>---|\+\+\+)[ \t]*\n(?P<matter>.*?)^(?:(?P=fence)|\.\.\.)[ \t]*$", re.DOTALL | re.MULTILINE
)
_SIZE_MOST = 64 * 1024
_ENTRIES_MOST = 32
_ITEMS_MOST = 50
_VALUE_MOST = 1_000


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """`rest` is the source with empty lines in its place. A key's values are told as they are written, lists by commas;
    what is nested deeper is left out."""

    rest: str
    title: str = ""
    metadata: dict[str, str] = field(default_factory=dict)


def split(source: str) -> FrontMatter:
    """A file's front matter; what only looks like it, or cannot be understood, is none."""
    found = _BLOCK.match(source[:_SIZE_MOST])
    if found is None:
        return FrontMatter(source)
    entries = _entries(found["matter"], found["fence"])
    if entries is None:
        return FrontMatter(source)
    metadata = dict(_told(entries))
    title = metadata.pop("title", "")
    return FrontMatter("\n" * found[0].count("\n") + source[found.end() :], title, metadata)


def _entries(matter: str, fence: str) -> dict[Any, Any] | None:
    try:
        # The loader that knows strings, lists and mappings only: nothing is built, and dates stay as they are written.
        # An alias is the same object again, whatever it would unfold to.
        loaded = tomllib.loads(matter) if fence == "+++" else yaml.load(matter, yaml.BaseLoader)  # noqa: S506
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    if loaded in (None, ""):
        return {}
    return loaded if isinstance(loaded, dict) else None


def _told(entries: dict[Any, Any]) -> Iterator[tuple[str, str]]:
    for key, value in list(entries.items())[:_ENTRIES_MOST]:
        values = value[:_ITEMS_MOST] if isinstance(value, list) else [value]
        words = ", ".join(str(one) for one in values if not isinstance(one, dict | list))
        told = text.one_line(words)[:_VALUE_MOST]
        if told:
            yield text.one_line(str(key))[:_VALUE_MOST], told
