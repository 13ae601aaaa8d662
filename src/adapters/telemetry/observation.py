"""What becomes of all that one consumer's loop tells: measures, log lines, and goals to follow."""

import logging
from collections.abc import Mapping, Sequence

from adapters.telemetry.goals import LastBets
from adapters.telemetry.measures import Measures
from adapters.telemetry.story import tell
from domain.log import LogPartition
from domain.observing import Part, Told
from domain.records import ConsumerName
from domain.rulings import Request, Ruling

_log = logging.getLogger(__name__)


class Observation:
    """An Observer. Without `measures` nobody asks for them; only a Bet Scorer has `last_bets`."""

    def __init__(
        self,
        name: ConsumerName,
        *,
        measures: Measures | None = None,
        last_bets: LastBets | None = None,
    ) -> None:
        self._name = name
        self._measures = measures
        self._last_bets = last_bets
        self._told: Sequence[Told] = ()

    def took(self, part: Part, seconds: float) -> None:
        if self._measures is not None:
            self._measures.took(self._name, part, seconds)

    def told(self, slices: Sequence[Told]) -> None:
        self._told = slices

    def did(
        self,
        taken: Mapping[LogPartition, int],
        requests: Sequence[Request],
        rulings: Sequence[Ruling],
    ) -> None:
        told, self._told = self._told, ()
        try:
            self._note(taken, requests, rulings, told)
        except Exception:  # noqa: BLE001 - the batch is done, and the next one must be, too
            _log.exception("observing failed")

    def _note(
        self,
        taken: Mapping[LogPartition, int],
        requests: Sequence[Request],
        rulings: Sequence[Ruling],
        told: Sequence[Told],
    ) -> None:
        if self._measures is not None:
            self._measures.batch(self._name, taken)
        if self._last_bets is not None and told:
            self._last_bets.follow(told, requests, rulings)
        tell(self._name, requests, rulings, told)
