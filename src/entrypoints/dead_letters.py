"""`touchline dead-letters`: what could not be read, and putting it back."""

import base64
import json
from datetime import UTC, datetime

from domain.errors import TouchlineError
from domain.log import NewRecord
from domain.records import DeadLetter
from entrypoints import bootstrap
from entrypoints.settings import Settings


class NoSuchLetter(TouchlineError):
    """No dead letter has this ID."""


def page(url: str, *, after: int | None, most: int) -> list[dict[str, object]]:
    """The letters after an ID, oldest first, without their bytes."""
    with bootstrap.database(url, name="dead-letters") as database, database.transaction() as uow:
        return [_shown(letter) for letter in uow.dead_letters.page(after=after, most=most)]


def one(url: str, letter_id: int) -> dict[str, object]:
    """One letter, whole; bytes as text where they are UTF-8, and always as base64."""
    with bootstrap.database(url, name="dead-letters") as database, database.transaction() as uow:
        letter = uow.dead_letters.lock(letter_id)
    if letter is None:
        raise NoSuchLetter(f"there is no dead letter {letter_id}")
    record = letter.record
    return _shown(letter) | {
        "key": _bytes(record.key),
        "value": _bytes(record.value),
        "headers": [{"name": name, **(_bytes(value) or {})} for name, value in record.headers],
    }


def requeue(settings: Settings, url: str, letter_id: int) -> dict[str, object]:
    """Append the letter to its topic again, unless that was done before: whoever else requeues it
    meanwhile waits for the letter's row, and then finds it done. A crash between the
    acknowledgement and the mark leaves the letter open, and requeueing it once more appends it
    twice. Unreadable still, it is two letters; readable by now, two equal requests, of which the
    second is judged as any retry is."""
    with (
        bootstrap.connected(settings, url, name="dead-letters") as (database, bus),
        database.transaction() as uow,
    ):
        letter = uow.dead_letters.lock(letter_id)
        if letter is None:
            raise NoSuchLetter(f"there is no dead letter {letter_id}")
        if letter.requeued_at is not None:
            return _shown(letter) | {"requeued": False}
        record = letter.record
        again = NewRecord(record.source.topic, record.key, record.value, record.headers)
        (acknowledgement,) = bus.publish([again])
        placed = acknowledgement.result()
        now = datetime.now(UTC)
        uow.dead_letters.mark_requeued(letter_id, now)
        uow.commit()
    place = {"partition": placed.partition, "offset": placed.offset}
    return _shown(letter) | {"requeued": True, "requeued_at": now.isoformat(), "appended": place}


def _shown(letter: DeadLetter) -> dict[str, object]:
    return {
        "id": letter.id,
        "topic": letter.record.source.topic,
        "partition": letter.record.source.partition,
        "offset": letter.record.offset,
        "log_id": str(letter.record.source.log_id),
        "reason": letter.reason,
        "seen_at": letter.seen_at.isoformat() if letter.seen_at else None,
        "requeued_at": letter.requeued_at.isoformat() if letter.requeued_at else None,
    }


def _bytes(raw: bytes | None) -> dict[str, str | None] | None:
    if raw is None:
        return None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = None
    return {"text": text, "base64": base64.b64encode(raw).decode()}


def shown(found: object, *, as_json: bool) -> str:
    """As JSON, or for people: one line a letter, one line a member."""
    if as_json:
        return json.dumps(found, indent=2)
    if isinstance(found, list):
        lines = [_line(letter) for letter in found]
        return "\n".join(lines) if lines else "no dead letters"
    assert isinstance(found, dict)
    return "\n".join(f"{name}: {json.dumps(value)}" for name, value in found.items())


def _line(letter: dict[str, object]) -> str:
    again = " (requeued)" if letter["requeued_at"] else ""
    place = f"{letter['topic']}/{letter['partition']}@{letter['offset']}"
    return f"{letter['id']}\t{place}\t{letter['reason']}{again}"
