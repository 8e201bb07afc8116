"""docs/kafka.md has every error that the Kafka engine may say."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / "libs" / "farandole" / "src" / "farandole" / "engines" / "kafka"
SAYS = {"LogError", "LogUnavailable", "ConfigError", "Fenced", "RecordRefused", "unavailable", "told_as"}
LEAST, ENOUGH = 8, 28
"""Letters of a part that says something, and of its beginning that stands for all of it."""
_WORDS = re.compile(r"[A-Za-z].*[a-z]")


def said() -> Iterator[tuple[str, list[str]]]:
    """Of each call that makes an error: where it stands, and the words of its own between what it fills in."""
    for path in sorted(ENGINE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _name(node.func) in SAYS and node.args:
                words = list(_words(node.args[0]))
                if words:
                    yield f"{path.name}:{node.lineno}", words


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _words(message: ast.expr) -> Iterator[str]:
    """Up to the remedy."""
    parts = message.values if isinstance(message, ast.JoinedStr) else [message]
    for part in parts:
        if not isinstance(part, ast.Constant):
            continue
        text, *rest = re.split("[;:]", str(part.value), maxsplit=1)
        if (found := _WORDS.search(text.strip(" (,"))) and len(found[0]) > LEAST:
            yield found[0].rstrip(" (,")
        if rest and ";" in str(part.value):
            return


@pytest.mark.parametrize(("place", "words"), list(said()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_error_of_the_kafka_engine_is_in_its_document(place: str, words: list[str]) -> None:
    """By the beginning of some of its own words, whatever it fills in between."""
    table = (ROOT / "docs" / "kafka.md").read_text(encoding="utf-8").partition("## Errors")[2].partition("\n## ")[0]
    assert any(part[:ENOUGH].rstrip() in table for part in words), f"{place} says {words}, and docs/kafka.md does not"


def test_the_messages_are_found() -> None:
    """The search itself: an engine that says nothing would pass everything."""
    assert len(list(said())) > 60
