"""Checks that a running server has the right configuration and no other way in: file, listeners, accounts and imports."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from bus.server.accounts import HOLDER, SYSTEM, Member, imports_lost
from bus.server.binary import ServerError, config_digest
from bus.server.findings import Check, hard, soft
from bus.server.monitor import read_monitor

SUBSCRIPTIONS = "subsz?subs=1&limit=32768"  # of all accounts; some 150 bytes each
OTHER_DOORS = ("leaf", "gateway", "mqtt", "websocket")
GLOBAL = "$G"  # the server's own account, which nobody can enter if there are accounts


def configuration_checks(
    varz: dict[str, Any], conf_file: Path | None, binary: Path | None, made: Callable[[], str]
) -> Iterator[Check]:
    """Compare users, permissions and settings with the file, and the file with the one that the process has read."""
    if conf_file is None or not conf_file.is_file():
        yield soft("users", ok=False, detail="no configuration file here to compare with the registry")
        return
    try:
        wanted_lines, lines = (_beside_ports(text) for text in (made(), conf_file.read_text("utf-8")))
    except (ServerError, UnicodeDecodeError) as exc:
        yield hard("users", ok=False, detail=f"{conf_file}: {exc}")
        return
    # No line is quoted: one may hold a secret.
    at = next((n for n, (have, want) in enumerate(zip_longest(lines, wanted_lines), 1) if have != want), None)
    other = (
        f"{conf_file} is not of this registry, or has other settings, from line {at} on: tocsin server conf"
    )
    yield hard("users", at is None, "exactly the registry's", other)
    if binary is None:
        return
    try:
        wanted = config_digest(binary, conf_file)
    except ServerError as exc:
        yield hard("configuration", ok=False, detail=str(exc))
        return
    runs = varz.get("config_digest") == wanted
    yield hard("configuration", runs, wanted, f"the server has not read {conf_file}; reload it")


def _beside_ports(conf: str) -> list[str]:
    """The lines of a configuration without its address for clients and its monitoring port."""
    return re.sub(
        r'^(listen|http): "(127\.0\.0\.1|.*):-?\d+"$',
        lambda found: found[1] if found[1] == "listen" else f"{found[1]} {found[2]}",
        conf,
        flags=re.MULTILINE,
    ).splitlines()


def doors_check(varz: dict[str, Any], *, clustered: bool) -> Check:
    """Whether the server listens only for clients, and for nodes of its cluster if it has one."""
    doors = [name for name in OTHER_DOORS if _is_open(varz.get(name))]
    if not clustered and _is_open(varz.get("cluster")):
        doors.append("cluster")
    return hard("other doors", not doors, "none", f"the server has {', '.join(doors)}")


def _is_open(door: object) -> bool:
    """Whether a part of `varz` shows an open listener or an outgoing connection."""
    told = door if isinstance(door, dict) else {}
    return any(
        told.get(each) for each in ("port", "cluster_port", "host", "addr", "remotes", "gateways", "urls")
    )


def accounts_check(monitor_url: str, everybody: Sequence[Member]) -> Check:
    """Whether the server knows exactly the accounts of the identities, and no other account that can be entered.

    Raises:
        ServerError: `no-monitor`.
    """
    known = {HOLDER, SYSTEM, GLOBAL, *(member.name for member in everybody)}
    others = sorted(set(map(str, read_monitor(monitor_url, "accountz").get("accounts") or ())) - known)
    return hard("other accounts", not others, "none", f"{', '.join(others[:8])} of nobody")


def imports_check(monitor_url: str, everybody: Sequence[Member]) -> Check:
    """Whether every account has its imports in the running server: an account that lost them in a reload is deaf.

    Raises:
        ServerError: `no-monitor`.
    """
    heard: dict[str, set[str]] = {}
    read, total = 0, 1
    while read < total:
        answer = read_monitor(monitor_url, f"{SUBSCRIPTIONS}&offset={read}")
        listed = answer.get("subscriptions_list") or ()
        for each in listed:
            heard.setdefault(str(each.get("account")), set()).add(str(each.get("subject")))
        read, total = read + len(listed), int(answer.get("total") or 0) if listed else 0
    lost = imports_lost(everybody, heard)
    told = f"{len(everybody)} accounts have their {sum(len(each.permissions.publish) for each in everybody)} imports"
    return hard("accounts", not lost, told, f"{len(lost)} imports are lost; reload it: {', '.join(lost[:8])}")
