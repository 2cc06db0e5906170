"""Tells people of what has happened without flooding them: rules, messages within a marking, and ways out that are kept."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.notify import deciding, deliveries, grouping, looking
    from bus.notify.addresses import SendError
    from bus.notify.asked import approvals_asked
    from bus.notify.book import Book
    from bus.notify.calling import call
    from bus.notify.connecting import tls
    from bus.notify.deliveries import Delivery
    from bus.notify.items import Asking, asking_of, nearly_due
    from bus.notify.rehearsing import Rehearsed, rehearsed
    from bus.notify.service import Notifier
    from bus.notify.settings import NotifyError, read_settings
    from bus.notify.shape import Channel, Item, Message, Own, Rule, Settings, Sort
    from bus.notify.ways import send
    from bus.notify.wording import worded
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "Asking",
    "Book",
    "Channel",
    "Delivery",
    "Item",
    "Message",
    "Notifier",
    "NotifyError",
    "Own",
    "Rehearsed",
    "Rule",
    "SendError",
    "Settings",
    "Sort",
    "approvals_asked",
    "asking_of",
    "call",
    "deciding",
    "deliveries",
    "grouping",
    "looking",
    "nearly_due",
    "read_settings",
    "rehearsed",
    "send",
    "tls",
    "worded",
]
