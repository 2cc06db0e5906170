"""Opens databases, leases and files. The only room that opens SQLite."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.storage import allowances, lease
    from bus.storage.allowances import Allowance
    from bus.storage.copying import check_copy, copy_database, is_in_use
    from bus.storage.files import write_atomically, written_atomically
    from bus.storage.glance import only_read
    from bus.storage.layout import Layout
    from bus.storage.lease import LEASE_S, boot_id
    from bus.storage.rowwise import insert_rows
    from bus.storage.sqlite import Companion, Database, by_others, utc
    from bus.storage.store import Lease, Store, from_row, insert, single, up_to
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "LEASE_S",
    "Allowance",
    "Companion",
    "Database",
    "Layout",
    "Lease",
    "Store",
    "allowances",
    "boot_id",
    "by_others",
    "check_copy",
    "copy_database",
    "from_row",
    "insert",
    "insert_rows",
    "is_in_use",
    "lease",
    "only_read",
    "single",
    "up_to",
    "utc",
    "write_atomically",
    "written_atomically",
]
