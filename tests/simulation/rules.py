"""The rules of the game in a few lines, known by the oracle itself: it shares no code with the
system that it judges.
"""

MARKETS = ("team_1", "draw", "team_2")


def right_state(market: str, event_state: str, score: str) -> str:
    """How every bet on a market must stand."""
    if event_state == "created":
        return "none"
    home, away = (int(part) for part in score.split("-"))
    wins = {"team_1": home > away, "draw": home == away, "team_2": away > home}[market]
    if event_state == "active":
        return "winning" if wins else "losing"
    return "win" if wins else "lose"


def may_become(before: dict[str, object], after: dict[str, object]) -> bool:
    """Whether an event may change so, whoever asks."""
    changed = {name for name in before if name != "version" and before[name] != after[name]}
    allowed: dict[tuple[object, object], set[str]] = {
        ("created", "created"): {"type", "team_1", "team_2", "event_date"},
        ("created", "active"): {"state"},
        ("active", "active"): {"score"},
        ("active", "finished"): {"state", "score"},
    }
    return changed <= allowed.get((before["state"], after["state"]), set())
