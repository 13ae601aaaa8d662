"""What is going to happen: who asks for what, and what breaks when. Drawn from a seed, as data, so
that a failing plan can be made smaller piece by piece.
"""

from dataclasses import dataclass, replace
from enum import StrEnum, auto
from random import Random

from domain.bets import Market
from domain.consumer import Step
from domain.log import BETS_STATE, EVENTS_TAXONOMY, PARTITIONS
from domain.records import ConsumerName

CHAOS_LASTS = 12.0
"""Seconds in which things break; what broke is mended then."""


class Deed(StrEnum):
    """What a client asks for. `event` and `bet` are numbers of the plan's own."""

    CREATE = auto()
    KICK_OFF = auto()
    GOAL = auto()
    FINISH = auto()
    RENAME = auto()
    PLACE = auto()
    HAND_OVER = auto()
    WITHDRAW = auto()
    DELETE_EVENT = auto()
    GARBAGE = auto()
    """Bytes that are no message, put straight into a topic."""
    FORGE = auto()
    """A well-formed record that nobody may send."""
    READ = auto()
    """A bet with its history."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of a client, and how long it thinks before it."""

    deed: Deed
    event: int
    pause: float
    market: Market = Market.DRAW
    key: int = 0
    """Requests to place with equal keys on one event are one bet; 0 is no key."""
    score: str = "0-0"
    tries: int = 1
    """How often it asks again while the outcome is unknown."""


class Fault(StrEnum):
    """What breaks."""

    CRASH = auto()
    """A consumer dies at a step, or at a statement within."""
    STALL = auto()
    """A consumer stands still and comes back later; its group has given it up meanwhile."""
    EXPIRE = auto()
    """Its group gives a consumer up, which doesn't notice for a while."""
    JOIN = auto()
    LEAVE = auto()
    SERVER_CRASH = auto()
    """A server dies with all its requests."""
    DATABASE_AWAY = auto()
    DISCONNECT = auto()
    """All connections to the database are cut at once."""
    STATEMENT_FAILS = auto()
    COMMIT_UNKNOWN = auto()
    COMMIT_FAILS = auto()
    BUS_AWAY = auto()
    BACKUP = auto()
    RESTORE = auto()
    RECREATE = auto()
    """A topic is deleted and created again."""
    LOSE_TAIL = auto()
    """The broker comes back without the last records of a partition."""
    LOSE_HEAD = auto()
    """Retention removes the first records of a partition."""


class Moment(StrEnum):
    """Where a consumer dies: after a step of its loop, or between two statements."""

    POLLED = Step.POLLED.value
    PUBLISHED = Step.PUBLISHED.value
    ACKNOWLEDGED = Step.ACKNOWLEDGED.value
    DECIDED = Step.DECIDED.value
    WRITTEN = Step.WRITTEN.value
    COMMITTED = Step.COMMITTED.value
    STATEMENT = "statement"
    PUBLISH = "publish"
    COMMIT = "commit"
    AFTER_COMMIT = "after commit"


@dataclass(frozen=True, slots=True)
class Break:
    """One fault, from `at` seconds on."""

    fault: Fault
    at: float
    consumer: ConsumerName = ConsumerName.EVENT_WRITER
    member: int = 0
    moment: Moment = Moment.POLLED
    skip: int = 0
    """How many such moments pass before it happens."""
    lasts: float = 1.0
    topic: str = EVENTS_TAXONOMY
    partition: int = 0
    records: int = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything but the interleaving, which follows from the seed, too."""

    seed: int
    clients: tuple[tuple[Ask, ...], ...]
    breaks: tuple[Break, ...]
    members: int
    batch: int
    """Records of events.taxonomy in one transaction, at most; at least one of each partition."""
    slices: int
    """Slices in one transaction, at most."""
    duplicated: float
    """How likely a record is sent twice."""
    unacknowledged: float
    """How likely the acknowledgement of a record is lost."""
    given_up: float
    """How likely a record is lost on its way."""


RARE = (Fault.RESTORE, Fault.RECREATE, Fault.LOSE_TAIL, Fault.LOSE_HEAD)
COMMON = tuple(fault for fault in Fault if fault not in RARE)


def draw(seed: int) -> Plan:
    """The plan of a seed. Few kinds of faults in one plan: many at once hide each other."""
    random = Random(seed)
    events = random.randint(1, 3)
    clients = [_company(random, event) for event in range(events)]
    clients += [_players(random, events) for _ in range(random.randint(1, 4))]
    if random.random() < 0.3:
        clients.append(_rival(random, random.randrange(events)))
    fickle = random.random() < 0.3
    if fickle:
        clients += [_fickle(random, random.randrange(events)) for _ in range(2)]
    if random.random() < 0.3:
        clients.append(_vandal(random, events))
    kinds = random.sample(COMMON, random.randint(0, 4))
    if random.random() < 0.35:
        kinds += [random.choice(RARE), Fault.STALL]
    breaks = [_break(random, random.choice(kinds)) for _ in range(random.randint(1, 10)) if kinds]
    if fickle:
        breaks += [
            replace(_break(random, Fault.STALL), at=random.uniform(0, 3), moment=Moment.STATEMENT)
            for _ in range(3)
        ]
    # What is under way when history changes is what may go wrong.
    breaks += [
        replace(_break(random, Fault.STALL), at=max(0.0, each.at - random.uniform(0, 1)))
        for each in breaks
        if each.fault in RARE
    ]
    if any(each.fault is Fault.RESTORE for each in breaks):
        breaks += [_break(random, Fault.BACKUP) for _ in range(random.randint(1, 3))]
    troubled = random.random() < 0.4
    # A copy of a lost record in its very place would make the loss good.
    copies = not any(each.fault is Fault.LOSE_TAIL for each in breaks)
    plan = Plan(
        seed=seed,
        clients=tuple(clients),
        breaks=_in_order(*breaks),
        members=random.choice((1, 2, 2, 2)),
        batch=random.choice((PARTITIONS, 4, 6, 50)),
        slices=random.choice((1, 2, 20)),
        duplicated=random.choice((0.0, 0.1, 0.5)) if copies and (troubled or fickle) else 0.0,
        unacknowledged=random.choice((0.0, 0.1)) if troubled else 0.0,
        given_up=random.choice((0.0, 0.1)) if troubled else 0.0,
    )
    if random.random() < 0.08:
        plan = _with_sore_losers(random, plan, random.randrange(events))
    if random.random() < 0.08 and not any(each.fault in RARE for each in breaks):
        plan = _with_regret(random, plan, events)
    return plan


def _with_sore_losers(random: Random, plan: Plan, event: int) -> Plan:
    """Who withdraws his bets after a kick-off that no Event Writer reads for seconds."""
    keys = (7, 8, 9)
    early = [Ask(Deed.PLACE, event, random.expovariate(10), key=key, tries=3) for key in keys]
    late = [Ask(Deed.WITHDRAW, event, random.uniform(0.2, 2), key=key) for key in keys]
    late[0] = replace(late[0], pause=random.uniform(3, 6))
    absence = _absence(
        random, plan, ConsumerName.EVENT_WRITER, at=random.uniform(0.5, 3), lasts=(3.0, 6.5)
    )
    pause = random.uniform(0.1, 1)
    early[0] = replace(early[0], pause=pause)
    return replace(
        plan, clients=(*plan.clients, (*early, *late)), breaks=_in_order(*plan.breaks, *absence)
    )


def _with_regret(random: Random, plan: Plan, event: int) -> Plan:
    """Who deletes an event on which bets were accepted, when the database has forgotten them and
    no Bet Writer is there to remind it."""
    restored_at = random.uniform(11.2, 11.8)
    host = (
        Ask(Deed.CREATE, event, random.expovariate(20), tries=3),
        Ask(Deed.PLACE, event, random.uniform(1.5, 4), tries=3),
    )
    delete = Ask(Deed.DELETE_EVENT, event, random.uniform(0.05, 0.4))
    regret = (replace(delete, pause=restored_at), *(delete,) * 8)
    breaks = (
        Break(Fault.BACKUP, at=random.uniform(0.4, 1.2)),
        Break(Fault.RESTORE, at=restored_at),
        *_absence(random, plan, ConsumerName.BET_WRITER, at=restored_at - 0.3, lasts=(0.5, 2.0)),
    )
    return replace(
        plan, clients=(*plan.clients, host, regret), breaks=_in_order(*plan.breaks, *breaks)
    )


def _absence(
    random: Random, plan: Plan, consumer: ConsumerName, *, at: float, lasts: tuple[float, float]
) -> tuple[Break, ...]:
    """All members of a group stand still."""
    return tuple(
        Break(Fault.STALL, at=at, consumer=consumer, member=number, lasts=random.uniform(*lasts))
        for number in range(plan.members)
    )


def _in_order(*breaks: Break) -> tuple[Break, ...]:
    return tuple(sorted(breaks, key=lambda each: each.at))


def _company(random: Random, event: int) -> tuple[Ask, ...]:
    """Plays one match."""

    def ask(deed: Deed, score: str = "0-0", mean: float = 1.0) -> Ask:
        pause = random.expovariate(1 / mean)
        return Ask(deed, event, pause, score=score, tries=random.choice((1, 3)))

    asks = [ask(Deed.CREATE, mean=random.choice((0.1, 0.1, 1.5)))]
    if random.random() < 0.2:
        asks.append(ask(Deed.RENAME))
    if random.random() < 0.1:
        asks.append(ask(Deed.DELETE_EVENT))
    asks.append(ask(Deed.KICK_OFF, mean=2.0))
    home = away = 0
    mean = random.choice((0.02, 0.3, 1.0))
    for _ in range(random.randint(0, 6)):
        if home and random.random() < 0.3:
            home -= 1
        elif random.random() < 0.5:
            home += 1
        else:
            away += 1
        asks.append(ask(Deed.GOAL, f"{home}-{away}", mean))
        if random.random() < 0.2:
            asks.append(asks[-1])
    if random.random() < 0.5:
        asks.append(ask(Deed.FINISH, f"{home}-{away}", mean))
    if random.random() < 0.1:
        asks.append(ask(Deed.DELETE_EVENT))
    return tuple(asks)


_PLAYERS = (Deed.PLACE,) * 8 + (Deed.HAND_OVER, Deed.WITHDRAW, Deed.READ)


def _players(random: Random, events: int) -> tuple[Ask, ...]:
    """Some who bet, as one client after another."""
    mean = random.choice((0.02, 0.2, 0.6))
    return tuple(
        Ask(
            random.choice(_PLAYERS),
            random.randrange(events),
            random.expovariate(1 / mean),
            market=random.choice(tuple(Market)),
            key=random.choice((0, 0, 1, 2, 3, 4)),
            tries=random.choice((1, 3)),
        )
        for _ in range(random.randint(2, 12))
    )


def _rival(random: Random, event: int) -> tuple[Ask, ...]:
    """Somebody else who keeps the score of the same match."""
    return tuple(
        Ask(Deed.GOAL, event, random.expovariate(2), score=f"{n % 2}-{random.randint(0, 2)}")
        for n in range(random.randint(2, 10))
    )


def _fickle(random: Random, event: int) -> tuple[Ask, ...]:
    """Places a bet and withdraws it, again and again, in two windows at once."""
    mean = random.choice((0.02, 0.1, 0.4))
    return tuple(
        Ask(
            random.choice((Deed.PLACE, Deed.PLACE, Deed.WITHDRAW)),
            event,
            random.expovariate(1 / mean),
            key=random.choice((1, 1, 2)),
        )
        for _ in range(random.randint(4, 12))
    )


def _vandal(random: Random, events: int) -> tuple[Ask, ...]:
    mean = random.choice((0.2, 0.7))
    return tuple(
        Ask(
            random.choice((Deed.GARBAGE, Deed.FORGE, Deed.FORGE, Deed.DELETE_EVENT)),
            random.randrange(events),
            random.expovariate(1 / mean),
            market=random.choice(tuple(Market)),
            key=5 * random.randrange(200) + random.choice((0, 1, 2, 2, 2, 3, 4)),
        )
        for _ in range(random.randint(2, 10))
    )


def _break(random: Random, fault: Fault) -> Break:
    consumer = random.choice(tuple(ConsumerName))
    moment = random.choice((*Moment, Moment.STATEMENT, Moment.STATEMENT))
    if consumer is ConsumerName.BET_SCORER and random.random() < 0.5:
        moment = random.choice((Moment.PUBLISH, Moment.PUBLISHED, Moment.ACKNOWLEDGED))
    return Break(
        fault,
        at=random.uniform(0, random.choice((4, CHAOS_LASTS))),
        consumer=consumer,
        member=random.randrange(3),
        moment=moment,
        skip=int(random.expovariate(1 / 20 if moment is Moment.STATEMENT else 1 / 2)),
        lasts=random.expovariate(1 / 2.0),
        topic=random.choice((EVENTS_TAXONOMY, EVENTS_TAXONOMY, BETS_STATE)),
        partition=random.randrange(PARTITIONS),
        records=random.randint(1, 4),
    )
