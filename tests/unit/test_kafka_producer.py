"""What is told of a record that Kafka did not take."""

from concurrent.futures import Future

import pytest
from kafka.errors import IllegalStateError, MessageSizeTooLargeError

from adapters.kafka.producer import Producer
from adapters.kafka.settings import KafkaSettings
from domain.errors import BusUnavailable, Misconfigured
from domain.log import Placed


def test_nobody_is_told_the_fault_of_another_record() -> None:
    """A producer that is ended gives all up that it holds."""
    producer = Producer(KafkaSettings(bootstrap_servers="localhost:1"), lambda: None)
    try:
        refused, beside = Future[Placed](), Future[Placed]()
        producer._fail(refused, MessageSizeTooLargeError())
        producer._fail(beside, IllegalStateError("Producer is closed forcefully."))
        with pytest.raises(Misconfigured, match="MessageSizeTooLarge"):
            refused.result(timeout=0)
        with pytest.raises(BusUnavailable, match=r"given up: .*MessageSizeTooLarge"):
            beside.result(timeout=0)
    finally:
        producer.end()
