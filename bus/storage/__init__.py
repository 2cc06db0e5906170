"""Opens databases, leases and files. The only room that opens SQLite."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.storage import allowances, lease
    from bus.storage.allowances import Allowance
    from bus.storage.files import write_atomically
    from bus.storage.layout import Layout
    from bus.storage.lease import LEASE_S
    from bus.storage.sqlite import Database, utc
    from bus.storage.store import Lease, Store, from_row, insert, single, up_to
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "LEASE_S",
    "Allowance",
    "Database",
    "Layout",
    "Lease",
    "Store",
    "allowances",
    "from_row",
    "insert",
    "lease",
    "single",
    "up_to",
    "utc",
    "write_atomically",
]
