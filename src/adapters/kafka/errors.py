"""kafka-python's errors in the domain's words."""

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

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


def refusal(
    error: BaseException, where: str, config: Mapping[str, Any]
) -> Misconfigured | BusUnavailable | None:
    """Why the broker at `where` is not to be spoken to so; None for what passes by itself, as when
    it is away. Misconfigured when it is certain, and never with a secret in it."""
    found = next(filter(None, (_certain(each, config) for each in _causes(error))), None)
    if found is not None:
        return Misconfigured(f"Kafka at {where} {found}")
    if any(isinstance(each, _ENDED) or str(each) in _ENDED_TEXTS for each in _causes(error)):
        return BusUnavailable(f"Kafka at {where} {_guess(config)}")
    return None


_ENDED = (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
_ENDED_TEXTS = {"socket disconnected"}


def _certain(error: BaseException, config: Mapping[str, Any]) -> str | None:
    match error:
        case ssl.SSLCertVerificationError():
            return f"has a certificate that is not accepted: {error.verify_message}"
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return None
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER" | "RECORD_LAYER_FAILURE"):
            return "does not speak TLS at this port"
        case ssl.SSLError():
            return f"does not accept our TLS: {error.reason}"
        case kafka_errors.SaslAuthenticationFailedError():
            return "does not accept this user and password"
        case kafka_errors.UnsupportedSaslMechanismError():
            return f"does not offer SASL by {config['sasl_mechanism']} at this port"
        case kafka_errors.IllegalSaslStateError():
            return "asks for no SASL at this port"
        case kafka_errors.InvalidReceiveError() if not _has_tls(config):
            return "does not speak plain Kafka at this port: is it TLS?"
    return None


def _guess(config: Mapping[str, Any]) -> str:
    """It ended the connection without a word."""
    if _has_tls(config):
        return "ends the connection: does it speak TLS at this port, or want a certificate?"
    return "ends the connection: does it want TLS or SASL at this port?"


def _has_tls(config: Mapping[str, Any]) -> bool:
    return config["security_protocol"] in {"SSL", "SASL_SSL"}


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what caused it; kafka-python puts that among the arguments."""
    while error is not None:
        yield error
        within = (each for each in error.args if isinstance(each, BaseException))
        error = error.__cause__ or next(within, None)


def require_crc32c() -> None:
    """Raise Misconfigured when kafka-python would compute checksums in Python, ten times slower."""
    if kafka_record_util.crc32c_c is None:
        raise Misconfigured("the package crc32c is not installed: pip install crc32c")
