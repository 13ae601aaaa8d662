"""The records of one partition that were read and wait to be worked on."""

from collections import deque
from collections.abc import Iterable
from itertools import islice

from domain.rulings import Decoded


class Buffer:
    """In the order of their offsets; knows what they weigh together."""

    def __init__(self) -> None:
        self._records: deque[Decoded] = deque()
        self.weight = 0

    def __len__(self) -> int:
        return len(self._records)

    def add(self, records: Iterable[Decoded]) -> None:
        for each in records:
            self._records.append(each)
            self.weight += each.weight

    def first(self, most: int) -> tuple[list[Decoded], int]:
        """What waits the longest, up to a weight, and what that weighs. A record that alone weighs
        more is taken alone."""
        if most <= 0:
            return [], 0
        if self.weight == len(self._records):  # each weighs one, as nearly always
            taken = list(islice(self._records, most))
            return taken, len(taken)
        number = weight = 0
        for each in self._records:
            if number and weight + each.weight > most:
                break
            number += 1
            weight += each.weight
        return list(islice(self._records, number)), weight

    def drop_below(self, offset: int) -> None:
        """Those below it are done."""
        all_light = self.weight == len(self._records)
        while self._records and self._records[0].record.offset < offset:
            done = self._records.popleft()
            self.weight -= 1 if all_light else done.weight
