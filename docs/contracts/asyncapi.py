"""The AsyncAPI document: which topics there are, what lies in them, and how to read it."""

from typing import Any

from adapters.cloudevents import CONTENT_TYPE, SOURCES
from adapters.kafka.topics import TOPIC_CONFIG
from docs.contracts import schemas
from docs.contracts.story import story
from docs.contracts.words import CHANNELS, MEANINGS, READERS_DO, READING, SENDERS
from domain.bet_scorer import BetScorer
from domain.bet_writer import BetWriter
from domain.event_writer import EventWriter
from domain.log import BETS_STATE, EVENTS_TAXONOMY, PARTITIONS, TOPICS
from domain.messages import MESSAGE_TYPES, BetsStateChanged, Message
from domain.records import READERS
from domain.rulings import Handler

Json = dict[str, Any]

VERSION = "3.0.0"
"""Of AsyncAPI."""

BINDING = {"bindingVersion": "0.5.0"}
BOOTSTRAP = "127.0.0.1:9094"
"""Where docker-compose.yml publishes its broker."""

HANDLERS: tuple[type[Handler], ...] = (EventWriter, BetWriter, BetScorer)


def document(version: str) -> Json:
    """The whole of it; `version` is Touchline's."""
    return {
        "asyncapi": VERSION,
        "info": {"title": "Touchline on Kafka", "version": version, "description": READING},
        "defaultContentType": CONTENT_TYPE,
        "servers": {"kafka": _server()},
        "channels": {_camel(topic): _channel(topic) for topic in TOPICS},
        "operations": _sending() | _receiving(),
        "components": {
            "messages": {_message_id(kind): _message(kind) for kind in MESSAGE_TYPES},
            "schemas": schemas.components(),
        },
    }


def _server() -> Json:
    return {
        "host": "{bootstrap}",
        "protocol": "kafka",
        "description": "The cluster that Touchline runs on.",
        "variables": {
            "bootstrap": {
                "default": BOOTSTRAP,
                "description": "What `TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS` names; by default where "
                "docker-compose.yml publishes its broker on its own machine.",
            }
        },
    }


def _channel(topic: str) -> Json:
    configuration: Json = {
        name: [value] if name == "cleanup.policy" else int(value)
        for name, value in TOPIC_CONFIG.items()
    }
    return {
        "address": topic,
        "description": CHANNELS[topic],
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {
            _message_id(kind): {"$ref": f"#/components/messages/{_message_id(kind)}"}
            for kind in MESSAGE_TYPES
            if _topic_of(kind) == topic
        },
        "bindings": {
            "kafka": {
                "topic": topic,
                "partitions": PARTITIONS,
                "topicConfiguration": configuration,
                **BINDING,
            }
        },
    }


def _message(kind: type[Message]) -> Json:
    return {
        "name": MESSAGE_TYPES[kind],
        "title": kind.__name__,
        "description": MEANINGS[kind],
        "contentType": CONTENT_TYPE,
        "headers": schemas.headers(kind),
        "payload": schemas.payload(kind),
        "bindings": {"kafka": {"key": schemas.key(kind), **BINDING}},
        "examples": [each.shown() for each in story() if type(each.message) is kind],
    }


def _sending() -> Json:
    """One operation for each part that says something."""
    return {
        f"{_camel(source.rpartition('/')[2])}Sends": {
            "action": "send",
            "description": SENDERS[source],
            **_about({kind for kind, by in SOURCES.items() if by == source}),
        }
        for source in dict.fromkeys(SOURCES.values())
    }


def _receiving() -> Json:
    """One for each of Touchline's consumers and the topics that it reads."""
    return {
        f"{_camel(handler.name)}Receives{_camel(topic, first=True)}": {
            "action": "receive",
            "description": READERS_DO[handler.name, topic],
            **_about({kind for kind in handler.kinds if _topic_of(kind) == topic}),
            "bindings": {
                "kafka": {"groupId": {"type": "string", "enum": [str(handler.name)]}, **BINDING}
            },
        }
        for topic, names in READERS.items()
        for handler in HANDLERS
        if handler.name in names
    }


def _about(kinds: set[type[Message]]) -> Json:
    (topic,) = {_topic_of(kind) for kind in kinds}
    channel = f"#/channels/{_camel(topic)}"
    return {
        "channel": {"$ref": channel},
        "messages": [
            {"$ref": f"{channel}/messages/{_message_id(kind)}"}
            for kind in MESSAGE_TYPES
            if kind in kinds
        ],
    }


def _topic_of(kind: type[Message]) -> str:
    return BETS_STATE if kind is BetsStateChanged else EVENTS_TAXONOMY


def _message_id(kind: type[Message]) -> str:
    return kind.__name__[0].lower() + kind.__name__[1:]


def _camel(name: str, *, first: bool = False) -> str:
    """Of a name with hyphens or dots; `first`: its first letter is a capital too."""
    words = "".join(map(str.capitalize, name.replace(".", "-").split("-")))
    return words if first else words[0].lower() + words[1:]
