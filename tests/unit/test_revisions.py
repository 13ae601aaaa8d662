"""The ids of the schema's revisions: which code works on which schema."""

from pathlib import Path

import pytest

from adapters.postgres.migrate import HEAD
from adapters.postgres.migrations import versions
from adapters.postgres.revisions import NOTHING, Revision, is_behind
from domain.errors import Misconfigured

RELEASED = sorted(Path(versions.__path__[0]).glob("r*.py"))


def test_an_id_says_who_works_on_it() -> None:
    assert Revision.parse("0001") == (1, 1)
    assert Revision.parse("0003_for_0002") == (3, 2)


@pytest.mark.parametrize("text", ["", "1", "0003_for_", "0003_for_2", "later", "0003 for 0002"])
def test_other_ids_are_a_newer_version_s(text: str) -> None:
    with pytest.raises(Misconfigured, match="newer"):
        Revision.parse(text)


@pytest.mark.parametrize(
    ("schema", "head", "behind"),
    [
        (NOTHING, "0001", True),
        (Revision(1, 1), "0001", False),
        (Revision(1, 1), "0002_for_0001", True),
        (Revision(2, 1), "0001", False),
        (Revision(2, 1), "0002_for_0001", False),
        (Revision(4, 2), "0003_for_0001", False),
    ],
)
def test_what_has_to_be_migrated(schema: Revision, head: str, behind: bool) -> None:
    assert is_behind(schema, head) is behind


def test_who_does_not_know_what_was_taken_away_is_refused() -> None:
    with pytest.raises(Misconfigured, match="newer"):
        is_behind(Revision(3, 2), "0001")


def test_the_revisions_that_there_are() -> None:
    """They are counted through, and never again is what was taken away needed."""
    names = [file.read_text().partition('revision = "')[2].partition('"')[0] for file in RELEASED]
    revisions = [Revision.parse(name) for name in names]
    assert [each.number for each in revisions] == list(range(1, len(revisions) + 1))
    assert [each.oldest for each in revisions] == sorted(each.oldest for each in revisions)
    assert all(each.oldest <= each.number for each in revisions)
    assert names[-1] == HEAD
