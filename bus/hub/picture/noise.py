"""Observables that say nothing by themselves: so many bulletins may share one without having anything to do with each other.

Known ones stand in `noise.toml`, each kind with its source. Others are what too many bulletins of the store have in common.
"""

from __future__ import annotations

import ipaddress
import sqlite3
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

COMMON = 25
"""An observable in more bulletins than this is common."""
TOO_COMMON = "common"
_LISTS = Path(__file__).with_name("noise.toml")
_LONGEST = 8
"""So many labels of a host are looked at, from its end."""


def why_known(norm: str) -> str:
    """Why an observable says nothing, by what is known of the world; empty for any other. Pure but for its lists, read once.

    Args:
        norm: an observable, as `bus.filters.norm` spells it: a host, an address of a network, an address of a page, a mail address.

    Returns:
        `resolver`, `mail-provider`, `content-network`, `shortener`, `platform`, `private-range`, `documentation-range` or
        `empty-file`.
    """
    hosts, values, ranges = _lists()
    if norm in values:
        return values[norm]
    try:
        address = ipaddress.ip_address(norm)
    except ValueError:
        pass
    else:
        return next((why for network, why in ranges.items() if address in network), "")
    if "://" in norm:
        return ""  # a page at a shortener says where it leads
    if "@" in norm:
        return ""  # a box at a provider is somebody's
    labels = norm.split(".")[-_LONGEST:]
    return next((hosts[name] for n in range(len(labels)) if (name := ".".join(labels[n:])) in hosts), "")


def why(db: sqlite3.Connection, norm: str) -> str:
    """Why an observable says nothing: as `why_known`, or `common` where too many bulletins of the store have it.

    It does not depend on who asks, and tells no number.
    """
    if known := why_known(norm):
        return known
    sql = "SELECT count(*) FROM (SELECT DISTINCT row FROM observables WHERE norm = ? LIMIT ?)"
    return TOO_COMMON if db.execute(sql, (norm, COMMON + 1)).fetchone()[0] > COMMON else ""


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@cache
def _lists() -> tuple[Mapping[str, str], Mapping[str, str], Mapping[Network, str]]:
    """Hosts, other values, and ranges, each with why it says nothing."""
    hosts: dict[str, str] = {}
    values: dict[str, str] = {}
    ranges: dict[Network, str] = {}
    for why_, each in tomllib.loads(_LISTS.read_text("utf-8")).items():
        hosts |= dict.fromkeys(each.get("hosts", ()), why_)
        values |= dict.fromkeys(each.get("values", ()), why_)
        ranges |= dict.fromkeys(map(ipaddress.ip_network, each.get("ranges", ())), why_)
    return hosts, values, ranges
