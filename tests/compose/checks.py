"""All checks of docker-compose.yml, and for each the ways to break the file that it must catch."""

from tests.compose import network, order, parts, schema, touchline
from tests.compose.beside import BREAKS_BESIDE
from tests.compose.breaking import GONE, Break, waits

_URL = "services/events-api/environment/TOUCHLINE_DATABASE_URL"
_KAFKA = "services/kafka/environment"
_PROBE = "services/bet-writer/healthcheck/test"

BREAKS = [
    Break(schema.schema_violations, {"services/kafka/helthcheck": {}}, "helthcheck"),
    Break(schema.schema_violations, {"services/kafka/depends_on": waits(x="well")}, "depends_on"),
    Break(schema.schema_violations, {"services/kafka/environment": 1}, "environment"),
    Break(schema.schema_violations, {"volume": {}}, "volume"),
    Break(schema.wrong_durations, {"services/kafka/stop_grace_period": "1 minute"}, "1 minute"),
    Break(schema.wrong_durations, {"services/kafka/healthcheck/interval": 5}, "interval"),
    Break(schema.interpolations, {_URL: "postgresql://${USER}@postgres/x"}, "$"),
    Break(schema.interpolations, {"services/migrate/command": ["migrate", "$HOME"]}, "command[1]"),
    Break(
        order.unknown_targets,
        {"services/topics/depends_on": waits(redis=order.HEALTHY)},
        "topics waits for redis",
    ),
    Break(order.cycles, {"services/kafka/depends_on": waits(topics=order.HEALTHY)}, "topics"),
    Break(order.cycles, {"services/kafka/depends_on": waits(kafka=order.HEALTHY)}, "kafka"),
    Break(order.targets_without_healthcheck, {"services/postgres/healthcheck": GONE}, "postgres"),
    Break(
        order.targets_without_healthcheck,
        {"services/kafka/healthcheck/disable": True},
        "kafka to be healthy",
    ),
    Break(
        order.unawaited_one_shots,
        {"services/bets-api/depends_on/migrate": GONE},
        "bets-api does not wait until migrate",
    ),
    Break(
        order.unawaited_one_shots,
        {"services/bets-api/depends_on/topics/condition": "service_started"},
        "bets-api does not wait until topics",
    ),
    Break(
        order.endless_waits,
        {"services/migrate/depends_on/postgres/condition": order.COMPLETED},
        "migrate waits for the end of postgres",
    ),
    Break(
        order.early_starts,
        {"services/topics/depends_on/kafka/condition": "service_started"},
        "topics uses kafka",
    ),
    Break(
        order.early_starts,
        {"services/bet-writer/depends_on": {}},
        "bet-writer uses postgres",
    ),
    Break(order.wrong_restarts, {"services/migrate/restart": "always"}, "migrate has restart"),
    Break(order.wrong_restarts, {"services/bet-scorer/restart": GONE}, "bet-scorer has restart"),
    Break(network.open_ports, {"services/postgres/ports": ["5432:5432"]}, "all addresses"),
    Break(network.open_ports, {"services/kafka/ports": ["0.0.0.0:9094:9094"]}, "0.0.0.0"),
    Break(network.open_ports, {"services/bets-api/network_mode": "host"}, "network_mode"),
    Break(
        network.ports_published_twice,
        {"services/bets-api/ports": ["127.0.0.1:8001:8002"]},
        "both publish 8001",
    ),
    Break(
        network.unreachable_servers,
        {"services/bets-api/ports": ["127.0.0.1:8002:8003"]},
        "bets-api listens on 8002",
    ),
    Break(
        network.unreachable_servers,
        {"services/bets-api/command": ["bets-api", "--port", "8002"]},
        "bets-api listens where",
    ),
    Break(
        network.unbound_listeners,
        {f"{_KAFKA}/KAFKA_LISTENERS": "INTERNAL://:9092,CONTROLLER://127.0.0.1:9093"},
        "advertises EXTERNAL",
    ),
    Break(
        network.unbound_listeners,
        {f"{_KAFKA}/KAFKA_LISTENERS": "INTERNAL://127.0.0.1:9092,EXTERNAL://:9094"},
        "advertises INTERNAL",
    ),
    Break(
        network.unbound_listeners,
        {f"{_KAFKA}/KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "INTERNAL:PLAINTEXT"},
        "EXTERNAL has no security protocol",
    ),
    Break(
        network.unreachable_listeners,
        {f"{_KAFKA}/KAFKA_ADVERTISED_LISTENERS": "INTERNAL://broker:9092"},
        "nobody can resolve",
    ),
    Break(
        network.unreachable_listeners,
        {f"{_KAFKA}/KAFKA_ADVERTISED_LISTENERS": "INTERNAL://kafka:9092"},
        "no listener as 127.0.0.1",
    ),
    Break(
        network.unreachable_listeners,
        {f"{_KAFKA}/KAFKA_ADVERTISED_LISTENERS": "INTERNAL://kafka:9095"},
        "at 9095, but listens on 9092",
    ),
    Break(
        network.unreachable_listeners,
        {"services/kafka/ports": ["127.0.0.1:9095:9094"]},
        "at 9094, which is not published",
    ),
    Break(
        network.wrong_bootstrap_servers,
        {"services/topics/environment/TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": "kafka:9094"},
        "topics is told",
    ),
    Break(
        network.wrong_bootstrap_servers,
        {"services/topics/environment/TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9094"},
        "topics is told",
    ),
    Break(
        network.wrong_quorum,
        {f"{_KAFKA}/KAFKA_CONTROLLER_QUORUM_VOTERS": "1@127.0.0.1:9094"},
        "the voters",
    ),
    Break(network.wrong_quorum, {f"{_KAFKA}/KAFKA_NODE_ID": 2}, "the voters"),
    Break(
        network.wrong_quorum,
        {f"{_KAFKA}/KAFKA_CONTROLLER_LISTENER_NAMES": "EXTERNAL"},
        "advertises its controller",
    ),
    Break(
        network.wrong_quorum,
        {f"{_KAFKA}/KAFKA_INTER_BROKER_LISTENER_NAME": "PLAINTEXT"},
        "between brokers",
    ),
    Break(parts.unpinned_images, {"services/postgres/image": "postgres:18"}, "not pinned"),
    Break(parts.unpinned_images, {"services/kafka/image": "apache/kafka:latest"}, "not pinned"),
    Break(parts.unpinned_images, {"services/topics/image": "touchline"}, "not pinned"),
    Break(parts.unpinned_images, {"services/topics/build": "."}, "built by migrate, topics"),
    Break(parts.wrong_pull_policies, {"services/topics/pull_policy": GONE}, "topics has pull"),
    Break(parts.wrong_pull_policies, {"services/migrate/pull_policy": "never"}, "migrate has pull"),
    Break(parts.other_kafka_than_tested, {"services/kafka/image": "apache/kafka:3.7.0"}, "3.7.0"),
    Break(
        parts.forgetful_broker,
        {f"{_KAFKA}/KAFKA_LOG_FLUSH_INTERVAL_MESSAGES": 10_000},
        "KAFKA_LOG_FLUSH_INTERVAL_MESSAGES is '10000'",
    ),
    Break(
        parts.forgetful_broker,
        {f"{_KAFKA}/KAFKA_AUTO_CREATE_TOPICS_ENABLE": GONE},
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE is None",
    ),
    Break(parts.forgetful_broker, {f"{_KAFKA}/CLUSTER_ID": GONE}, "cluster id"),
    Break(parts.wrong_volumes, {"volumes/kafka": GONE}, "volume kafka"),
    Break(parts.wrong_volumes, {"volumes/spare": None}, "volume spare"),
    Break(
        parts.wrong_volumes,
        {"services/kafka/volumes": ["postgres:/var/lib/kafka/data"]},
        "several services",
    ),
    Break(parts.data_outside_volumes, {f"{_KAFKA}/KAFKA_LOG_DIRS": GONE}, "/tmp/kafka-logs"),
    Break(
        parts.data_outside_volumes,
        {"services/postgres/volumes": ["postgres:/var/lib/postgresql/data"]},
        "postgres writes to",
    ),
    Break(parts.wrong_database_urls, {"services/postgres/environment/POSTGRES_DB": "x"}, "another"),
    Break(
        parts.wrong_database_urls,
        {_URL: "postgresql+psycopg2://touchline:touchline@localhost:5432/touchline"},
        "events-api looks",
    ),
    Break(touchline.missing_services, {"services/bet-scorer": GONE}, "bet-scorer"),
    Break(
        touchline.missing_services,
        {"services/bet-scorer/command": ["bet-writer"]},
        "runs another command",
    ),
    Break(touchline.unknown_commands, {"services/migrate/command": ["upgrade"]}, "upgrade"),
    Break(touchline.unknown_commands, {"services/migrate/command": []}, "no command"),
    Break(
        touchline.unknown_commands,
        {"services/bets-api/command": ["bets-api", "--bind", "0.0.0.0"]},
        "bind",
    ),
    Break(
        touchline.unknown_commands,
        {"services/bet-writer/command": ["bet-writer", "--health-port", "http"]},
        "health-port",
    ),
    Break(touchline.unknown_commands, {"services/topics/entrypoint": ["sh"]}, "entry point"),
    Break(
        touchline.unknown_settings,
        {"services/topics/environment/TOUCHLINE_KAFKA_SERVERS": "kafka:9092"},
        "TOUCHLINE_KAFKA_SERVERS is no setting",
    ),
    Break(
        touchline.refused_settings,
        {"services/topics/environment/TOUCHLINE_LOG_FORMAT": "xml"},
        "TOUCHLINE_LOG_FORMAT",
    ),
    Break(
        touchline.refused_settings,
        {"services/topics/environment/TOUCHLINE_BUS": "postgres"},
        "topics does not run on Kafka",
    ),
    Break(touchline.missing_healthchecks, {"services/bets-api/healthcheck": GONE}, "bets-api"),
    Break(touchline.missing_healthchecks, {f"{_PROBE}": "python -c 1"}, "bet-writer"),
    Break(touchline.unknown_executables, {f"{_PROBE}": ["CMD", "curl", "x"]}, "curl"),
    Break(
        touchline.unknown_executables,
        {"services/kafka/healthcheck/test": ["CMD", "kafka-topics"]},
        "kafka-topics",
    ),
    Break(
        touchline.wrong_probes,
        {_PROBE: ["CMD", "python", "-c", "'/readyz'", "9101"]},
        "asked on 9101",
    ),
    Break(
        touchline.wrong_probes,
        {_PROBE: ["CMD", "python", "-c", "'/livez'", "9103"]},
        "whether it is ready",
    ),
    Break(
        touchline.wrong_probes,
        {_PROBE: ["CMD", "python", "-c", "import '/readyz'", "9103"]},
        "does not compile",
    ),
    Break(
        touchline.short_grace_periods, {"services/bets-api/stop_grace_period": "10s"}, "bets-api"
    ),
    Break(touchline.short_grace_periods, {"services/bets-api/stop_grace_period": GONE}, "bets-api"),
    Break(touchline.privileges, {"services/bets-api/read_only": GONE}, "file system"),
    Break(touchline.privileges, {"services/bets-api/cap_drop": []}, "capabilities"),
    Break(touchline.privileges, {"services/bets-api/user": "root"}, "another user"),
    Break(touchline.privileges, {"services/bets-api/init": GONE}, "no init"),
]

CHECKS = list(dict.fromkeys(each.check for each in [*BREAKS, *BREAKS_BESIDE]))
