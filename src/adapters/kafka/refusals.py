"""Why a broker is not to be spoken to so: what a person has to mend. No text holds a secret."""

import ssl
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kafka import errors as kafka_errors

_ENDED = (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
_ENDED_TEXT = "socket disconnected"
"""kafka-python's word for it."""


class Reason(NamedTuple):
    """What to say of a broker, and whether it said so, or nothing."""

    text: str
    is_certain: bool


def refusal(error: BaseException, config: Mapping[str, Any]) -> Reason | None:
    """Why no connection came about; None for what passes by itself, as when the broker is away."""
    has_tls = config["security_protocol"] in {"SSL", "SASL_SSL"}
    causes = list(_causes(error))
    for each in causes:
        text = _told_by_tls(each) if isinstance(each, ssl.SSLError) else _told(each, config)
        if text is not None:
            return Reason(text, is_certain=True)
    if any(isinstance(each, _ENDED) or _ENDED_TEXT in each.args for each in causes):
        question = "does it speak TLS at this port" if has_tls else "does it want TLS"
        return Reason(f"ends the connection at once: is it away, or {question}?", is_certain=False)
    return None


def silence(config: Mapping[str, Any]) -> Reason | None:
    """Why a broker ends a connection at the first question."""
    if config["security_protocol"].startswith("SASL"):
        return None
    return Reason("ends the connection at the first question: does it want SASL?", is_certain=False)


def _told_by_tls(error: ssl.SSLError) -> str | None:
    if isinstance(error, _ENDED):
        return None
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that is not accepted: {error.verify_message.rstrip('.')}"
    reason = error.reason or str(error)
    if reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"}:
        return "does not speak TLS at this port"
    if "CERTIFICATE" in reason or "UNKNOWN_CA" in reason:
        return f"wants a certificate of ours that it knows: {reason}"
    return f"does not accept our TLS: {reason}"


def _told(error: BaseException, config: Mapping[str, Any]) -> str | None:
    match error:
        case kafka_errors.SaslAuthenticationFailedError():
            return "does not accept this user and password"
        case kafka_errors.UnsupportedSaslMechanismError():
            return f"does not offer SASL by {config['sasl_mechanism']} at this port"
        case kafka_errors.IllegalSaslStateError():
            return "wants no SASL at this port"
        case kafka_errors.InvalidReceiveError() if config["security_protocol"] == "PLAINTEXT":
            return "does not speak Kafka without TLS at this port"
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what caused it; kafka-python puts that among the arguments."""
    while error is not None:
        yield error
        within = (each for each in error.args if isinstance(each, BaseException))
        error = error.__cause__ or next(within, None)
