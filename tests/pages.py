"""Pages in Markdown, taken apart: blocks, prose, tables, links, and the commands in a block."""

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")


def blocks(text: str, *languages: str) -> list[str]:
    return [content for language, content in FENCE.findall(text) if language in languages]


def procedures(text: str) -> dict[str, str]:
    """What is to be typed, by the heading below which it stands; one block below each. What is to
    be done after an alert is no procedure."""
    text, found = text.partition("\n## Alerts\n")[0], dict[str, str]()
    for block in FENCE.finditer(text):
        if block[1] == "shell":
            *_, heading = re.findall(r"^#+ (.+)$", prose(text[: block.start()]), re.MULTILINE)
            assert heading not in found, f"{heading} has several blocks"
            found[heading] = block[2]
    return found


def prose(text: str) -> str:
    return FENCE.sub("", text)


def table(text: str, first: str) -> list[list[str]]:
    """The rows of the table whose first column has this heading."""
    lines = prose(text)[prose(text).index(f"| {first} |") :].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    assert rows
    return rows


def anchors(text: str) -> set[str]:
    """What `#…` may name in a page."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@cache
def functions_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text())
    return frozenset(n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))


def typed(block: str) -> Iterator[list[str]]:
    """The commands of a block, which may go on over several lines."""
    command = ""
    for line in block.splitlines():
        command += line
        if command.endswith("\\"):
            command = command[:-1]
            continue
        try:
            words = shlex.split(command, comments=True)
        except ValueError:  # a quotation that ends further down
            command += "\n"
            continue
        command = ""
        if words:
            yield words
    assert not command
