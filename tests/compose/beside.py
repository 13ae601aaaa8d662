"""Ways to break what is beside the deployment itself: profiles, limits, mounted folders."""

from tests.compose import network, observability, order, parts, resources, touchline
from tests.compose.breaking import GONE, Break, waits

_LIMITS = "services/{}/deploy/resources/limits"
_ALLOWED = "TOUCHLINE_ALLOW_UNAUTHENTICATED"

BREAKS_BESIDE = [
    Break(
        order.waits_across_profiles,
        {"services/bet-scorer/depends_on": waits(verify="service_started")},
        "bet-scorer waits for verify, which starts with observability only",
    ),
    Break(
        order.waits_across_profiles,
        {"services/kafka-ui/depends_on": waits(prometheus=order.HEALTHY)},
        "kafka-ui waits for prometheus",
    ),
    Break(
        order.early_starts,
        {"services/demo/depends_on": waits(**{"bets-api": order.HEALTHY})},
        "demo uses events-api",
    ),
    Break(order.early_starts, {"services/kafka-ui/depends_on": {}}, "kafka-ui uses kafka"),
    Break(order.wrong_restarts, {"services/demo/restart": "always"}, "demo has restart"),
    Break(
        network.wrong_addresses,
        {"services/demo/command/2": "http://events-api:8002"},
        "demo is told to find events-api at 8002",
    ),
    Break(
        network.wrong_addresses,
        {"services/bet-scorer/environment/TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": "kafka:9094"},
        "bet-scorer is told to find kafka at 9094",
    ),
    Break(
        network.wrong_bootstrap_servers,
        {"services/kafka-ui/environment/KAFKA_CLUSTERS_0_BOOTSTRAPSERVERS": "127.0.0.1:9094"},
        "kafka-ui is told",
    ),
    Break(network.open_ports, {"services/kafka-ui/ports": ["8080:8080"]}, "kafka-ui publishes"),
    Break(parts.unpinned_images, {"services/grafana/image": "grafana/grafana"}, "not pinned"),
    Break(touchline.wrong_profiles, {"services/kafka-ui": GONE}, "there is no service kafka-ui"),
    Break(
        touchline.wrong_profiles,
        {"services/demo/profiles": GONE},
        "demo is started with no profile",
    ),
    Break(
        touchline.wrong_profiles,
        {"services/bets-api/profiles": ["tools"]},
        "bets-api is started with tools",
    ),
    Break(
        touchline.refused_settings,
        {"services/demo/environment/TOUCHLINE_AUTH": "yes"},
        "demo: TOUCHLINE_AUTH",
    ),
    Break(
        touchline.different_tokens,
        {"services/demo/environment/TOUCHLINE_AUTH_SECRET": "s" * 32},
        "demo is told other things",
    ),
    Break(
        touchline.different_tokens,
        {"services/bets-api/environment/TOUCHLINE_AUTH": GONE},
        "bets-api is told other things",
    ),
    Break(
        touchline.refused_listeners,
        {f"services/events-api/environment/{_ALLOWED}": GONE},
        "events-api would not start",
    ),
    Break(
        touchline.refused_listeners,
        {f"services/bet-scorer/environment/{_ALLOWED}": "1"},
        "bet-scorer is allowed",
    ),
    Break(
        touchline.unknown_executables,
        {"services/prometheus/healthcheck/test": ["CMD", "curl", "x"]},
        "prometheus is asked with curl",
    ),
    Break(touchline.missing_healthchecks, {"services/grafana/healthcheck": GONE}, "grafana"),
    Break(touchline.privileges, {"services/grafana/read_only": False}, "grafana may write"),
    Break(touchline.privileges, {"services/demo/security_opt": GONE}, "demo may get more"),
    Break(resources.missing_limits, {"services/topics/deploy": GONE}, "topics may take all"),
    Break(resources.missing_limits, {_LIMITS.format("kafka"): {"cpus": "1"}}, "all the memory"),
    Break(resources.missing_limits, {f"{_LIMITS.format('postgres')}/cpus": "2"}, "postgres may"),
    Break(
        resources.tight_limits,
        {f"{_LIMITS.format('bet-writer')}/memory": "200m"},
        "bet-writer may take 200 MB, and has taken 150",
    ),
    Break(
        resources.tight_limits,
        {f"{_LIMITS.format('kafka')}/memory": "768m"},
        "kafka may take 768 MB, and its heap alone 512",
    ),
    Break(
        resources.unbounded_heaps,
        {"services/kafka/environment/KAFKA_HEAP_OPTS": GONE},
        "kafka runs on Java",
    ),
    Break(
        observability.wrong_folders,
        {"services/grafana/volumes/0": "./deploy/graphana:/etc/grafana/provisioning:ro"},
        "deploy/graphana, which does not exist",
    ),
    Break(
        observability.wrong_folders,
        {"services/grafana/volumes/0": "./deploy/grafana/provisioning:/etc/grafana/provisioning"},
        "grafana may write",
    ),
    Break(
        observability.wrong_targets,
        {"services/bet-scorer/command": ["bet-scorer", "--health-port", "9109"]},
        "Prometheus asks bet-scorer:9102",
    ),
    Break(
        observability.wrong_targets,
        {"services/bet-scorer/command": ["bet-scorer", "--health-port", "9109"]},
        "Prometheus does not ask bet-scorer:9109",
    ),
    Break(
        observability.missing_rules,
        {"services/prometheus/volumes/0": "./deploy/prometheus:/etc/prom:ro"},
        "looks for its rules",
    ),
    Break(
        observability.wrong_sources,
        {"services/prometheus/ports": ["127.0.0.1:9090:9091"]},
        "Grafana asks http://prometheus:9090",
    ),
    Break(
        observability.wrong_dashboards,
        {"services/grafana/volumes/1": "./deploy/grafana/dashboards:/dashboards:ro"},
        "they are mounted at /dashboards",
    ),
]
