"""What the domain is made of: quiet parts of the standard library, and values that don't change."""

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

import domain

ALLOWED = {
    "bisect",
    "collections",
    "collections.abc",
    "concurrent.futures",  # futures only, no executors
    "contextlib",
    "dataclasses",
    "datetime",
    "enum",
    "hashlib",
    "itertools",
    "json",  # canonical spelling for ids that follow from content
    "operator",
    "re",
    "types",
    "typing",
    "unicodedata",
    "uuid",
}
"""Nothing that does I/O, asks the clock, draws lots, logs, or waits."""

MODULES = sorted(Path(domain.__file__).parent.rglob("*.py"))
IMPURE = re.compile(
    r"\b(datetime|date)\.(now|utcnow|today)\b|\buuid[14]\b|PoolExecutor"
    r"|\b(open|print|input|exec|eval|__import__)\("
)
"""What the allowed modules, and the built-in names, offer that a pure core can't use."""


def names(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_imports(path: Path) -> None:
    imported = set(names(ast.parse(path.read_text())))
    assert {name for name in imported if name.split(".")[0] != "domain"} <= ALLOWED


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_nothing_asks_the_clock_or_draws_lots(path: Path) -> None:
    assert not IMPURE.search(path.read_text())


def test_there_is_something_to_look_at() -> None:
    assert {"events", "bets", "evaluator", "consumer"} <= {path.stem for path in MODULES}
    assert set(names(ast.parse("import os\nfrom adapters.wire import x"))) == {
        "os",
        "adapters.wire",
    }
    assert IMPURE.search("datetime.now(UTC)")
    assert IMPURE.search("from uuid import uuid4")


MUTABLE = {"Reading", "_Admitted"}
"""Working state; everything else is a value."""

DATACLASSES = [
    found
    for path in MODULES
    for found in vars(importlib.import_module(f"domain.{path.stem}")).values()
    if isinstance(found, type) and is_dataclass(found) and found.__module__ == f"domain.{path.stem}"
]


@pytest.mark.parametrize("value", DATACLASSES, ids=lambda value: value.__name__)
def test_values_are_frozen_slotted_and_made_by_name(value: Any) -> None:
    assert "__slots__" in vars(value)
    if value.__name__ not in MUTABLE:
        assert value.__dataclass_params__.frozen
        assert all(field.kw_only for field in fields(value))
