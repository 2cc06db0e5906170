"""What the tests of this room share: items, rules, channels."""

from __future__ import annotations

import datetime as dt
from typing import Any

from bus.notify.shape import Channel, Item, Own, Rule, Settings, Sort
from schemas.vocab import Tlp

NOW = dt.datetime(2027, 5, 23, 9, 0, tzinfo=dt.UTC)
OWN = Own(authority="xb-hub", country="XB", channels_of=frozenset({"xb-hub", "xb-csirt"}))


def item(**changes: Any) -> Item:
    """A bulletin of the CSIRT of XA, of priority 3."""
    fields: dict[str, Any] = {
        "sort": Sort.BULLETIN,
        "at": NOW,
        "about": "0197a1b0-0000-7000-8000-000000000001",
        "tlp": Tlp.GREEN,
        "priority": "p3",
        "audience": "community",
        "row": 1,
        "issuer": "xa-csirt",
        "country": "XA",
        "kind": "cyber-threat",
        "headline": "Flood against results",
    }
    return Item(**{**fields, **changes})


def rule(**changes: Any) -> Rule:
    """A rule that tells of interrupts."""
    return Rule(**{"name": "duty", "channels": ("hook",), **changes})


def channel(**changes: Any) -> Channel:
    """A webhook."""
    return Channel(**{"name": "hook", "kind": "webhook", "address": "https://hooks.example/", **changes})


def settings(*rules: Rule, **changes: Any) -> Settings:
    """Settings with these rules, and channels for all that they name."""
    names = {name for each in rules for name in each.channels}
    fields: dict[str, Any] = {
        "rules": {each.name: each for each in rules},
        "channels": {name: channel(name=name) for name in sorted(names)},
        "console": "https://hub.example",
    }
    return Settings(**{**fields, **changes})
