"""What every MessageBus promises. An adapter's test subclasses MessageBusContract and gives the
fixtures `buses` (see OpenBus) and `recreate` (see Recreate), on a log where the product's topics
exist.

The log may be shared and may hold anything: a test reads from the log's end, under a group of its
own, with keys of its own.
"""

from tests.contracts.message_bus_groups import GroupContract
from tests.contracts.message_bus_member import OpenBus, Recreate
from tests.contracts.message_bus_publishing import PublishContract
from tests.contracts.message_bus_reading import ReadContract

__all__ = ["MessageBusContract", "OpenBus", "Recreate"]


class MessageBusContract(PublishContract, ReadContract, GroupContract):
    """All of it."""
