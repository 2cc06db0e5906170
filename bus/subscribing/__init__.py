"""Reads bulletins from the bus: fetch, admit, keep."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.subscribing import bodies, contested, erasure, recent, tables, totals
    from bus.subscribing.contested import CONTESTED, is_mute, undecided
    from bus.subscribing.inbox import Inbox
    from bus.subscribing.progress import Reading
    from bus.subscribing.registry_feed import EVERY_S, Heard, RegistryFeed, publish_trust
    from bus.subscribing.subscriber import Subscriber, message_from
    from bus.subscribing.tables import Stored, as_json, stored, whole
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "CONTESTED",
    "EVERY_S",
    "Heard",
    "Inbox",
    "Reading",
    "RegistryFeed",
    "Stored",
    "Subscriber",
    "as_json",
    "bodies",
    "contested",
    "erasure",
    "is_mute",
    "message_from",
    "publish_trust",
    "recent",
    "stored",
    "tables",
    "totals",
    "undecided",
    "whole",
]
