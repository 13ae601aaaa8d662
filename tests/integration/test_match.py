"""The match contract on both buses: all in one process, and each part as a process of its own."""

from collections.abc import Iterator

import pytest

from tests.contracts.example import ExampleContract
from tests.contracts.logs import LogContract
from tests.contracts.match import MatchContract
from tests.integration.system import (
    PATIENT,
    System,
    kafka_environment,
    running_on_kafka,
    running_processes,
    running_up,
)
from tests.kafka.secured import SecuredKafka


class TestUp(MatchContract):
    """`touchline up`: everything in one process on the PostgreSQL log."""

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
        with running_up(tmp_path_factory.mktemp("up"), PATIENT) as system:
            yield system


@pytest.mark.long
class TestTheLogOfUp(LogContract):
    """The same, whatever lies in its log."""

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
        with running_up(tmp_path_factory.mktemp("log-of-up"), PATIENT) as system:
            yield system


@pytest.mark.long
class TestProcessesOnThePostgresLog(MatchContract, LogContract):
    """Processes that share the embedded PostgreSQL."""

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
        folder = tmp_path_factory.mktemp("processes")
        with running_processes(folder, {"TOUCHLINE_DATA": str(folder / "data")}, PATIENT) as system:
            yield system


class TestKafka(ExampleContract, MatchContract, LogContract):
    """Processes on real Kafka, two members in each group. The first contract's test runs last: the
    reader in Java meets all that the others leave in the topic."""

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
        with running_on_kafka(tmp_path_factory.mktemp("kafka"), PATIENT, members=2) as system:
            yield system


@pytest.mark.long
class TestSecuredKafka(MatchContract, LogContract):
    """The same, by TLS and a password."""

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
        folder = tmp_path_factory.mktemp("secured")
        kafka = SecuredKafka(folder)
        kafka.broker.start()
        environment = kafka_environment(folder, kafka.settings("SCRAM", "SCRAM-SHA-512"))
        try:
            with running_processes(folder, environment, PATIENT, members=2) as system:
                yield system
        finally:
            kafka.broker.kill()
