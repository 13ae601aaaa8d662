"""A process of its own that uses the message bus on PostgreSQL, for tests that need several.

`bus_process.py hold URL GROUP LEASE` joins, says how many partitions it holds, and goes on polling.
`bus_process.py publish URL NAME RECORDS` waits for a line of input, publishes, says how many.
"""

import sys
from concurrent.futures import Future

from sqlalchemy import create_engine

from adapters.postgres.log_bus import PostgresLogBus
from domain.log import EVENTS_TAXONOMY, PARTITIONS, NewRecord, Placed

DEADLINE = 30.0
"""Seconds: generous, for slow machines."""


def hold(url: str, group: str, lease: str) -> None:
    bus = PostgresLogBus(create_engine(url), lease_seconds=float(lease))
    subscription = bus.subscribe(group, [EVENTS_TAXONOMY])
    held = 0
    while True:
        held += len(subscription.poll(timeout=1, most=1).assigned)
        if held == PARTITIONS:
            say(held)


def publish(url: str, name: str, records: str) -> None:
    bus = PostgresLogBus(create_engine(url), delivery_timeout=DEADLINE)
    sys.stdin.readline()
    futures: list[Future[Placed]] = []
    for number in range(int(records)):
        record = NewRecord(EVENTS_TAXONOMY, b"%d" % (number % 7), f"{name} {number}".encode())
        futures += bus.publish([record])
    say(len({future.result() for future in futures}))
    bus.close()


def say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    {"hold": hold, "publish": publish}[sys.argv[1]](*sys.argv[2:])
