"""Where keys lie and how groups share, the same on every bus."""

import warnings
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.log import fair_shares, partition_of

with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
    from kafka.partitioner import murmur2

MEMBERS = [UUID(int=number) for number in range(9)]


@given(st.binary(max_size=80), st.integers(1, 50))
def test_keys_lie_where_kafka_puts_them(key: bytes, partitions: int) -> None:
    assert partition_of(key, partitions) == (murmur2(key) & 0x7FFFFFFF) % partitions


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9), st.integers(0, 20))
def test_shares_are_fair_and_complete(holdings: list[int], partitions: int) -> None:
    shares = fair_shares(dict(zip(MEMBERS, holdings, strict=False)), partitions)
    assert sum(shares.values()) == partitions
    assert max(shares.values()) - min(shares.values()) <= 1


@pytest.mark.parametrize(
    ("holdings", "shares"),
    [
        ([3, 0], [2, 1]),
        ([1, 2], [1, 2]),
        ([1, 2, 0], [1, 1, 1]),
        ([0, 1, 1, 1], [0, 1, 1, 1]),
        ([0, 0], [2, 1]),
    ],
)
def test_who_has_more_keeps_more(holdings: list[int], shares: list[int]) -> None:
    members = MEMBERS[: len(holdings)]
    found = fair_shares(dict(zip(members, holdings, strict=True)), 3)
    assert [found[member] for member in members] == shares
