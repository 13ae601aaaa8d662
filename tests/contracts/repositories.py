"""What every Database promises. An adapter's test subclasses DatabaseContract and gives the
fixture `database` (without any row, closed afterwards) and the method `waiting` (how many
transactions wait for a lock right now).
"""

from tests.contracts.repositories_audit import AuditContract
from tests.contracts.repositories_bets import BetsContract
from tests.contracts.repositories_bookkeeping import BookkeepingContract
from tests.contracts.repositories_corrections import CorrectionContract
from tests.contracts.repositories_events import EventsContract
from tests.contracts.repositories_listening import ListeningContract
from tests.contracts.repositories_locks import LocksContract
from tests.contracts.repositories_positions import PositionsContract
from tests.contracts.repositories_runs import RunsContract
from tests.contracts.repositories_transactions import TransactionContract
from tests.contracts.repositories_watching import WatchingContract

__all__ = ["DatabaseContract"]


class DatabaseContract(
    TransactionContract,
    PositionsContract,
    EventsContract,
    BetsContract,
    RunsContract,
    BookkeepingContract,
    LocksContract,
    ListeningContract,
    WatchingContract,
    AuditContract,
    CorrectionContract,
):
    """All of it."""
