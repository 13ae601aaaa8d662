"""Writes the documents in docs/api: `make contracts`."""

from docs.contracts import FOLDER, documents, spelt

FOLDER.mkdir(exist_ok=True)
for path, document in documents().items():
    path.write_text(spelt(document))
