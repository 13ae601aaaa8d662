"""TLS and SASL with a real broker: who is let in works as ever; who isn't is told why, in time."""

import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from pytest_mock import MockerFixture

from adapters.kafka.bus import KafkaBus
from adapters.kafka.connections import Connections
from adapters.kafka.security import Mechanism
from adapters.kafka.settings import KafkaSettings
from adapters.kafka.topics import create_topics
from domain.errors import BusUnavailable, Misconfigured, TouchlineError
from domain.log import EVENTS_TAXONOMY, PARTITIONS, NewRecord
from entrypoints.bootstrap import migrate
from tests.contracts.message_bus_member import (
    DEADLINE,
    attempts,
    comes_up,
    joined,
    new_group,
    one_on_each,
    place,
)
from tests.integration.system import Processes, eventually, kafka_environment
from tests.kafka.certificates import Authority
from tests.kafka.faults import ANSWER_SECONDS, acknowledged, on_each
from tests.kafka.fixtures import PATIENCE
from tests.kafka.secured import (
    PASSING_USER,
    PASSWORD,
    REAUTHENTICATION_SECONDS,
    Listener,
    SecuredKafka,
)
from tests.standstill import in_time

WRONG_PASSWORD = "kick off at 16:00"

MOST_ATTEMPTS = 40
"""To connect, in two seconds, by a producer and a consumer, which has three connections."""


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    kafka = SecuredKafka(tmp_path_factory.mktemp("secured"))
    kafka.broker.start()
    create_topics(kafka.broker.settings)
    yield kafka
    kafka.broker.stop()


@pytest.mark.parametrize(
    ("listener", "mechanism"),
    [
        ("TLS", "PLAIN"),
        ("MUTUAL", "PLAIN"),
        ("SCRAM", "SCRAM-SHA-256"),
        ("SCRAM", "SCRAM-SHA-512"),
        ("PLAIN", "PLAIN"),
    ],
)
def test_a_round_trip(secured: SecuredKafka, listener: Listener, mechanism: Mechanism) -> None:
    settings = _patient(secured.settings(listener, mechanism))
    assert not any(create_topics(settings).values())
    bus = KafkaBus(settings)
    try:
        comes_up(bus)
        reader = joined(bus, EVENTS_TAXONOMY)
        reader.seek_to_end()
        value = bytes(500_000)  # more than TLS takes at once
        placed = place(bus, [NewRecord(EVENTS_TAXONOMY, b"key", value)])
        placed += place(bus, one_on_each(range(PARTITIONS)))
        found = {(r.source.partition, r.offset): r.value for r in reader.gather(len(placed))}
        assert found.keys() == {(each.partition, each.offset) for each in placed}
        assert found[placed[0].partition, placed[0].offset] == value
        assert len(list(bus.read(EVENTS_TAXONOMY))) >= len(placed)
    finally:
        bus.close()


CASES: Mapping[str, tuple[type[TouchlineError], str]] = {
    "another authority": (Misconfigured, "certificate that is not accepted: .*local issuer"),
    "whom the system trusts": (Misconfigured, "certificate that is not accepted: .*local issuer"),
    "another host name": (Misconfigured, "certificate that is not accepted: IP address mismatch"),
    "no TLS where it is wanted": (Misconfigured, "does not speak Kafka without TLS at this port"),
    "TLS where there is none": (BusUnavailable, "ends the connection at once: .*does it speak TLS"),
    "no SASL where it is wanted": (BusUnavailable, "does it want SASL"),
    "TLS without SASL": (BusUnavailable, "does it want SASL"),
    "SASL where there is none": (Misconfigured, "wants no SASL at this port"),
    "no certificate": (Misconfigured, "wants a certificate of ours that it knows"),
    "an unknown certificate": (Misconfigured, "wants a certificate of ours that it knows"),
    "another password, SCRAM": (Misconfigured, "does not accept this user and password"),
    "another user": (Misconfigured, "does not accept this user and password"),
    "another password, PLAIN": (Misconfigured, "does not accept this user and password"),
    "another mechanism": (Misconfigured, "does not offer SASL by SCRAM-SHA-256"),
}


@pytest.fixture(scope="module")
def refusals(secured: SecuredKafka) -> Mapping[str, Sequence[TouchlineError]]:
    """What who is not let in was told, whatever he did. All at once: most of it is waiting."""
    wrong = wrong_settings(secured)
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(len(wrong)) as threads:
        patch.setattr("adapters.kafka.topics.PATIENCE_SECONDS", 2.0)
        return dict(zip(wrong, threads.map(refused, wrong, wrong.values()), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_who_is_not_let_in(refusals: Mapping[str, Sequence[TouchlineError]], case: str) -> None:
    kind, _ = CASES[case]
    *told, published = refusals[case]
    assert {type(each) for each in told} == {kind}
    assert isinstance(published, BusUnavailable)
    for each in refusals[case]:
        assert PASSWORD not in str(each)
        assert WRONG_PASSWORD not in str(each)


def wrong_settings(secured: SecuredKafka) -> dict[str, KafkaSettings]:
    tls, mutual = secured.settings("TLS"), secured.settings("MUTUAL")
    scram, plain = secured.settings("SCRAM", "SCRAM-SHA-512"), secured.settings("PLAIN")
    open_to_all, at = secured.broker.settings, secured.broker.address
    stranger = Authority(secured.folder / "stranger", "another authority")
    certificate, key = stranger.sign("touchline")
    found = {
        "another authority": _but(tls, ca_file=stranger.ca_file),
        "whom the system trusts": _but(tls, ca_file=None),
        "another host name": _at(tls, at("TLS", host="127.0.0.1")),
        "no TLS where it is wanted": _at(open_to_all, at("TLS")),
        "TLS where there is none": _at(tls, secured.broker.bootstrap),
        "no SASL where it is wanted": _at(open_to_all, at("PLAIN")),
        "TLS without SASL": _at(tls, at("SCRAM")),
        "SASL where there is none": _at(plain, secured.broker.bootstrap),
        "no certificate": _at(tls, at("MUTUAL")),
        "an unknown certificate": _but(mutual, cert_file=certificate, key_file=key),
        "another password, SCRAM": _but(scram, password=WRONG_PASSWORD),
        "another user": _but(scram, username="nobody"),
        "another password, PLAIN": _but(plain, password=WRONG_PASSWORD),
        "another mechanism": _but(plain, mechanism="SCRAM-SHA-256"),
    }
    assert found.keys() == CASES.keys()
    return found


def _but(settings: KafkaSettings, **changes: Any) -> KafkaSettings:
    return replace(settings, security=replace(settings.security, **changes))


def _patient(settings: KafkaSettings) -> KafkaSettings:
    return replace(settings, give_up_seconds=PATIENCE, answer_seconds=PATIENCE)


def _at(settings: KafkaSettings, address: str) -> KafkaSettings:
    return replace(settings, bootstrap_servers=address)


def refused(case: str, settings: KafkaSettings) -> Sequence[TouchlineError]:
    _, reason = CASES[case]
    bus = KafkaBus(settings)
    try:
        return [
            told(reason, bus.is_up),
            told(reason, lambda: bus.subscribe(new_group(), [EVENTS_TAXONOMY])),
            told(reason, lambda: create_topics(settings)),
            told("given up", partial(publish, bus)),
        ]
    finally:
        bus.close()


def told(reason: str, act: Callable[[], object]) -> TouchlineError:
    """The error, once it says so: on a busy machine nothing may be known yet."""
    for _ in attempts():
        try:
            act()
        except TouchlineError as error:
            if re.search(reason, str(error)):
                return error
    raise AssertionError(reason)


def publish(bus: KafkaBus) -> None:
    (future,) = bus.publish([NewRecord(EVENTS_TAXONOMY, b"key", b"-")])
    future.result(timeout=DEADLINE)


def test_processes_that_are_not_let_in(
    secured: SecuredKafka, fresh_database: str, tmp_path: Path
) -> None:
    """They live, and say why they can't work: to who asks and in their logs."""
    settings = _but(secured.settings("PLAIN"), password=WRONG_PASSWORD)
    environment = kafka_environment(tmp_path, settings) | {
        "TOUCHLINE_DATABASE_URL": fresh_database,
        "TOUCHLINE_LOG_LEVEL": "DEBUG",
    }
    reason = f"Kafka at {settings.bootstrap_servers} does not accept this user and password"
    system = Processes(tmp_path, environment)
    try:
        migrate(fresh_database)
        names = ("events-api", "event-writer-0")
        for name in names:
            system.start_one(name)
        for name in names:
            eventually(partial(_says, system, name, reason))
            assert httpx.get(f"{system.address(name)}/livez").status_code == 200
        eventually(lambda: reason in system.health("event-writer-0")["consumer"])
        assert system.health("events-api")["status"] == "ok"
        with in_time(ANSWER_SECONDS):
            answer = system.client.post_event()
        assert answer.status_code == 503
        for name in names:
            assert system.stop_one(name) == 0
            log = (tmp_path / f"{name}.log").read_text()
            assert reason in log
            assert WRONG_PASSWORD not in log
    finally:
        system.client.close()
        system.kill()


def _says(system: Processes, name: str, reason: str) -> bool:
    health = system.health(name)
    return (health.get("bus"), health.get("bus_reason")) == ("down", reason)


def test_one_who_is_let_in_no_longer(
    secured: SecuredKafka, mocker: MockerFixture, caplog: pytest.LogCaptureFixture
) -> None:
    """The broker asks again and again who one is (KIP-368)."""
    settings = _patient(secured.settings("SCRAM", "SCRAM-SHA-512"))
    bus = KafkaBus(_but(settings, username=PASSING_USER))
    try:
        reader = joined(bus, EVENTS_TAXONOMY)
        reader.seek_to_end()
        began = time.monotonic()
        while time.monotonic() - began < 1.5 * REAUTHENTICATION_SECONDS:
            place(bus, one_on_each(range(PARTITIONS)))
            reader.gather(PARTITIONS)
        secured.remove(PASSING_USER)
        told("does not accept this user and password", bus.is_up)
        connect = mocker.spy(Connections, "_connect")
        began = time.monotonic()
        while (took := time.monotonic() - began) < 2.0 or not connect.call_count:
            assert took < DEADLINE
            with suppress(Misconfigured):
                reader.turn()
        assert connect.call_count < MOST_ATTEMPTS * max(took / 2.0, 1)
        assert "does not accept this user and password" in caplog.text
        assert PASSWORD not in caplog.text
        secured.let_in(PASSING_USER)
        acknowledged(bus, on_each(b"let in again"))
        for _ in attempts():
            with suppress(Misconfigured):
                reader.turn()
            if [each.value for each in reader.records].count(b"let in again") == PARTITIONS:
                break
    finally:
        bus.close()


def test_a_handshake_without_an_answer(secured: SecuredKafka) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"localhost:{silent.getsockname()[1]}"
        bus = KafkaBus(_at(secured.settings("TLS"), address))
        try:
            assert not bus.is_up()
            with in_time(ANSWER_SECONDS):
                told("given up", partial(publish, bus))
            with pytest.raises(BusUnavailable):
                bus.subscribe(new_group(), [EVENTS_TAXONOMY])
        finally:
            bus.close()
