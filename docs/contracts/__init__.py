"""What others build upon, as documents made from the code: docs/api.

`make contracts` writes them. Nobody edits them by hand; a test holds them to what
`documents` gives.
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docs.contracts import asyncapi, openapi

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "api"


def documents() -> Mapping[Path, dict[str, Any]]:
    """Each document, and the file that it belongs in."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    served = openapi.documents()
    return {
        FOLDER / "asyncapi.json": asyncapi.document(version),
        **{FOLDER / f"{name}-openapi.json": document for name, document in served.items()},
    }


def spelt(document: Mapping[str, Any]) -> str:
    """The text of a document, one line for each thing that may change."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
