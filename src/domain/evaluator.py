"""How a bet stands: a pure function of its market and the event's state and score."""

from typing import assert_never

from domain.bets import BetState, Market
from domain.events import EventState
from domain.score import Score


def leader(score: Score) -> Market:
    """The market that wins at this score. A draw loses both team bets: it is no refund."""
    if score.home > score.away:
        return Market.TEAM_1
    if score.home < score.away:
        return Market.TEAM_2
    return Market.DRAW


def evaluate(market: Market, state: EventState, score: Score) -> BetState:
    """The state of every bet on `market` while the event is in `state` with `score`."""
    leads = market is leader(score)
    match state:
        case EventState.CREATED:
            return BetState.NONE
        case EventState.ACTIVE:
            return BetState.WINNING if leads else BetState.LOSING
        case EventState.FINISHED:
            return BetState.WIN if leads else BetState.LOSE
        case _:
            assert_never(state)
