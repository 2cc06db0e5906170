"""The consoles of the demonstration's hubs: on any free port of this machine, and the first sign-in needs no password."""

from __future__ import annotations

from collections.abc import Callable

from bus.console import Child, Place
from bus.demo.countries import Member
from bus.demo.keyring import Folder
from bus.hub.acting import Acting
from bus.trust import VerifiedRegistry


def console_of(
    hub: Member, folder: Folder, registry: VerifiedRegistry, say: Callable[[str], None], acting: Acting
) -> Child:
    """The console of a hub, which signs what is done there; `say` prints its lines, each with the hub in front."""
    state = folder.state(hub.id)
    place = Place(
        host="127.0.0.1",
        port=0,
        else_any=True,
        authority=hub.id,
        store=state / "store.db",
        desk=state / "desk.db",
        registry=folder.registry,
        pin=registry.digest,
        domain=registry.domain,
        beacon=folder.beacon,
        contacts=folder.contacts,
        demonstration=True,
    )
    return Child(place, lambda line: say(f"{hub.id} {line}"), acting.do)
