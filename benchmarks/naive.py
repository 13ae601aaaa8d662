"""What one writes first: a consumer that loads the event's bets by ORM, and goes bet by bet."""

import json
import threading
import time
from uuid import uuid4

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from sqlalchemy import Engine, Text, Uuid, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks.site import Site

TOPICS = ("naive.events", "naive.bets")


class _Base(DeclarativeBase):
    pass


class _Bet(_Base):
    __tablename__ = "naive_bets"

    id: Mapped[object] = mapped_column(Uuid, primary_key=True)
    event_id: Mapped[object] = mapped_column(Uuid, index=True)
    market: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    user_id: Mapped[str] = mapped_column(Text)


def measure(site: Site, bets: int) -> float:
    """Bets a second. Without Kafka there is nothing to send, and only the database is asked."""
    engine = create_engine(site.url)
    _Base.metadata.create_all(engine)
    event_id = uuid4()
    with Session(engine) as session:
        session.add_all(
            _Bet(id=uuid4(), event_id=event_id, market="draw", state="winning", user_id=f"user-{n}")
            for n in range(bets)
        )
        session.commit()
    if site.broker is None:
        seconds = _rescore(engine, None, str(event_id))
    else:
        seconds = _consume(engine, site.broker.bootstrap, str(event_id))
    _Base.metadata.drop_all(engine)
    engine.dispose()
    return bets / seconds


def _consume(engine: Engine, bootstrap: str, event_id: str) -> float:
    """From the record of the goal until the last bet is committed."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    place = TopicPartition(TOPICS[0], 0)
    for topic in TOPICS:  # the broker makes them
        producer.send(topic, b"{}", partition=0).get(timeout=30)
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    consumer.assign([place])
    consumer.seek_to_end(place)
    consumer.position(place)
    found: list[float] = []

    def work() -> None:
        for record in consumer:
            found.append(_rescore(engine, producer, json.loads(record.value)["eventId"]))
            return

    worker = threading.Thread(target=work)
    worker.start()
    began = time.monotonic()
    producer.send(TOPICS[0], json.dumps({"eventId": event_id}).encode(), partition=0)
    worker.join()
    seconds = time.monotonic() - began
    consumer.close()
    producer.close()
    return seconds


def _rescore(engine: Engine, producer: KafkaProducer | None, event_id: str) -> float:
    began = time.monotonic()
    with Session(engine) as session:
        for bet in session.scalars(select(_Bet).where(_Bet.event_id == event_id)).all():
            bet.state = "losing"
            session.commit()
            if producer is not None:
                told = json.dumps({"id": str(bet.id), "state": bet.state}).encode()
                producer.send(TOPICS[1], told, partition=0).get(timeout=30)
    return time.monotonic() - began
