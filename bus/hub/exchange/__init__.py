"""The messages of hubs to authors and to each other: receipts, requests, copies."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.hub.exchange import missing, receipt_queue
    from bus.hub.exchange.acknowledging import acknowledge
    from bus.hub.exchange.helper import PATIENCE_S, PeerHelper
    from bus.hub.exchange.receipts import Receipts
    from bus.hub.exchange.signed_files import contradictions
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "PATIENCE_S",
    "PeerHelper",
    "Receipts",
    "acknowledge",
    "contradictions",
    "missing",
    "receipt_queue",
]
