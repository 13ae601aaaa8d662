"""kafka-python's errors in the domain's words."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kafka import errors as kafka_errors
from kafka.record import util as kafka_record_util

from domain.errors import BusUnavailable, Misconfigured, TouchlineError

PERMANENT = (
    kafka_errors.AuthorizationError,
    kafka_errors.GroupMaxSizeReachedError,
    kafka_errors.InconsistentGroupProtocolError,
    kafka_errors.InvalidConfigurationError,
    kafka_errors.InvalidGroupIdError,
    kafka_errors.InvalidPartitionsError,
    kafka_errors.InvalidReplicationFactorError,
    kafka_errors.InvalidSessionTimeoutError,
    kafka_errors.InvalidTopicError,
    kafka_errors.KafkaConfigurationError,
    kafka_errors.MessageSizeTooLargeError,
    kafka_errors.PolicyViolationError,
    kafka_errors.RecordListTooLargeError,
    kafka_errors.SaslAuthenticationFailedError,
    kafka_errors.UnrecognizedBrokerVersion,
    kafka_errors.UnsupportedSaslMechanismError,
    kafka_errors.UnsupportedVersionError,
)
"""What no retry mends: a person has to act."""


def translated(error: Exception, doing: str) -> BusUnavailable | Misconfigured:
    """The domain's error for the driver's, which becomes its cause."""
    kind = Misconfigured if isinstance(error, PERMANENT) else BusUnavailable
    found = kind(f"Kafka: {doing} failed: {str(error) or type(error).__name__}")
    found.__cause__ = error
    return found


def _nothing() -> None:
    return None


@contextmanager
def domain_errors(
    doing: str, *, trouble: Callable[[], TouchlineError | None] = _nothing
) -> Iterator[None]:
    """Turn every driver error inside into the domain's; `trouble` may know more than it says."""
    try:
        yield
    except kafka_errors.KafkaError as error:
        raise trouble() or translated(error, doing) from error


def require_crc32c() -> None:
    """Raise Misconfigured when kafka-python would compute checksums in Python, ten times slower."""
    if kafka_record_util.crc32c_c is None:
        raise Misconfigured("the package crc32c is not installed: pip install crc32c")
