"""The database on a real PostgreSQL: the contract."""

from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, make_url

from adapters.postgres.database import PostgresDatabase
from adapters.postgres.migrate import migrate
from adapters.postgres.schema import metadata
from domain.log import BETS_STATE, EVENTS_TAXONOMY
from domain.ports import Database
from domain.records import ConsumerName
from tests.contracts.repositories import DatabaseContract
from tests.contracts.repositories_listening import MOMENT, move
from tests.contracts.repositories_samples import DEADLINE, alone, position, source
from tests.shortages import no_descriptor_left

APPLICATION = "contract"


@pytest.fixture(scope="module")
def contract_url(postgres_url: str) -> str:
    """One migrated database for all cases."""
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE contract")
    engine.dispose()
    url = make_url(postgres_url).set(database="contract").render_as_string(hide_password=False)
    database = PostgresDatabase(url)
    migrate(database.engine)
    database.close()
    return url


@pytest.fixture(scope="module")
def observer(contract_url: str) -> Iterator[Engine]:
    """Looks at the database from outside, and empties it."""
    engine = create_engine(contract_url, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


class TestPostgresDatabase(DatabaseContract):
    """The shared suite."""

    @pytest.fixture(autouse=True)
    def _observe(self, observer: Engine) -> None:
        self.observer = observer

    @pytest.fixture
    def database(self, contract_url: str, observer: Engine) -> Iterator[Database]:
        with observer.connect() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
        database = PostgresDatabase(contract_url, pool_size=9, application_name=APPLICATION)
        yield database
        database.close()

    def waiting(self, database: Database) -> int:
        with self.observer.connect() as connection:
            count = connection.exec_driver_sql(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock' AND application_name = %s",
                (APPLICATION,),
            ).scalar_one()
        return int(count)

    @pytest.mark.parametrize(
        ("consumer", "topic"),
        [(ConsumerName.BET_SCORER, EVENTS_TAXONOMY), (ConsumerName.BET_WRITER, BETS_STATE)],
    )
    def test_others_do_not_wake_who_listens_to_one(
        self, database: Database, consumer: ConsumerName, topic: str
    ) -> None:
        with closing(database.listen([ConsumerName.BET_WRITER])) as listener:
            alone(database).positions.save([position(1, source(topic=topic), consumer)])
            assert not listener.wait(MOMENT)
            move(database)
            assert listener.wait(DEADLINE)
            assert not listener.wait(MOMENT)

    def test_listening_needs_no_further_descriptor(self, database: Database) -> None:
        with closing(database.listen()) as listener:
            with no_descriptor_left():
                assert not listener.wait(0)
            move(database)
            with no_descriptor_left():
                assert listener.wait(DEADLINE)

    def test_only_what_was_committed_lazily_does_not_wait_for_the_disk(
        self, contract_url: str
    ) -> None:
        database = PostgresDatabase(contract_url, pool_size=1)
        settings: list[str] = []

        @event.listens_for(database.engine, "commit")
        def _note(connection: Connection) -> None:
            settings.append(connection.exec_driver_sql("SHOW synchronous_commit").scalar_one())

        for lazily in (False, True, False):
            with database.transaction() as uow:
                uow.deletions.add(uuid4())
                uow.commit(lazily=lazily)
        database.close()
        assert settings == ["on", "off", "on"]
