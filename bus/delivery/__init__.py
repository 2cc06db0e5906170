"""Follows published bulletins: receipts, deadlines, missing confirmations."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.delivery import ledger, pruning
    from bus.delivery.ladder import DeliveryState, DeliveryStatus, Overdue
    from bus.delivery.ledger import TABLES, late
    from bus.delivery.tracker import DeliveryTracker
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "TABLES",
    "DeliveryState",
    "DeliveryStatus",
    "DeliveryTracker",
    "Overdue",
    "late",
    "ledger",
    "pruning",
]
