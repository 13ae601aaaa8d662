"""Wrong states of bets, derived again from the versions of their events.

No state is taken from a bet: what must be follows from market, event state and score alone. A
correction gives the event's current version with the state, so what a consumer says later of an
earlier version changes nothing, and of a later one everything, as ever.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby, islice

from domain.evaluator import evaluate
from domain.ports import Database, EventLock, UnitOfWork
from domain.records import BetGroup, BetKind, Correction

EVENTS_AT_ONCE = 100
"""Events that one transaction holds at most."""

BETS_AT_ONCE = 20_000
"""Bets that one transaction corrects at most: an event of a million must not hold up others."""


def is_wrong(kind: BetKind, *, to_now: bool) -> bool:
    """Whether such bets can't be right. At every moment they name a version that their event has,
    and their state is what that version makes of their market. Once every consumer has read
    everything (`to_now`) it is also what the event as it now is makes of it."""
    if kind.own is None or kind.is_ahead:
        return True
    causes = [kind.own, kind.now] if to_now else [kind.own]
    return any(kind.state is not evaluate(kind.market, *cause) for cause in causes)


def corrections(database: Database, *, to_now: bool) -> list[Correction]:
    """What has to change so that no bet `is_wrong`; nothing is written or locked."""
    with database.transaction() as uow:
        wrong = uow.audit.groups(lambda kind: is_wrong(kind, to_now=to_now))
        return list(_targets([group for group, _ in wrong], uow))


def correct(
    uow: UnitOfWork, found: Collection[Correction], *, most: int = 2**31 - 1
) -> list[Correction]:
    """Correct `most` of these bets at most, within the caller's transaction, and return what was
    corrected. Bets and events may have moved since they were found: each event is held and read
    again, and a bet that is no longer as it was found is left alone."""
    groups = [each.wrong for each in found]
    events = {group.event_id for group in groups}
    uow.events.lock(events, EventLock.CHANGE)
    targets = list(_targets(sorted(groups), uow))
    counts = uow.audit.correct(targets, most=most) if targets else []
    uow.changes.tell(events)
    return [
        target._replace(wrong=target.wrong._replace(bets=bets))
        for target, bets in zip(targets, counts, strict=True)
        if bets
    ]


def repair(database: Database, found: Collection[Correction]) -> list[Correction]:
    """Make these corrections, and return what was corrected. Small transactions, each right by
    itself: after a crash, look for what is wrong and run it again."""
    done: Counter[Correction] = Counter()
    for part in _by_events(found):
        corrected = BETS_AT_ONCE
        while corrected == BETS_AT_ONCE:
            with database.transaction() as uow:
                changed = correct(uow, part, most=BETS_AT_ONCE)
                uow.commit()
            corrected = sum(each.wrong.bets for each in changed)
            for each in changed:
                done[each._replace(wrong=each.wrong._replace(bets=0))] += each.wrong.bets
    return [each._replace(wrong=each.wrong._replace(bets=bets)) for each, bets in done.items()]


def _targets(groups: Iterable[BetGroup], uow: UnitOfWork) -> Iterator[Correction]:
    """What these bets must become; those whose event is gone are gone too."""
    groups = list(groups)
    events = uow.events.among({group.event_id for group in groups})
    for group in groups:
        if group.event_id in events:
            event = events[group.event_id].event
            state = evaluate(group.market, event.state, event.score)
            if (state, event.version) != (group.state, group.event_version):
                yield Correction(group, state, event.version)


def _by_events(found: Iterable[Correction]) -> Iterator[list[Correction]]:
    """Portions of all corrections of EVENTS_AT_ONCE events."""
    ordered = sorted(found)
    events = (list(each) for _, each in groupby(ordered, key=lambda each: each.wrong.event_id))
    while portion := list(islice(events, EVENTS_AT_ONCE)):
        yield [each for of_event in portion for each in of_event]
