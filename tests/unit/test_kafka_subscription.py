"""A member of a group on Kafka, where it can't even begin."""

from typing import Any, cast

import pytest

from adapters.kafka.consumer import LogConsumer
from adapters.kafka.subscription import KafkaSubscription
from domain.errors import BusUnavailable, Misconfigured


@pytest.mark.parametrize("error", [BusUnavailable("away"), Misconfigured("not you"), MemoryError()])
def test_a_consumer_that_could_not_join_is_closed(error: Exception) -> None:
    """Or its connections stay open until the garbage collector comes."""

    class Refused:
        kafka: Any = None
        is_closed = False

        def join(self, _: object) -> None:
            raise error

        def close(self) -> None:
            self.is_closed = True

    refused = Refused()
    with pytest.raises(type(error)):
        KafkaSubscription(lambda: cast("LogConsumer", cast("Any", refused)))
    assert refused.is_closed
