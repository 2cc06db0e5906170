"""The console of a hub: pages in a browser that show what the hub holds, and what it asks of a person."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.console.application import app
    from bus.console.asking import NOBODY, HubError
    from bus.console.child import DEFAULT, OFF, Child, Place, address_of, missing_packages
    from bus.console.demonstration import Demonstration
    from bus.console.doing import Hub
    from bus.console.people import People, Session, SignInError, Viewer
    from bus.console.public import Public, public_of
    from bus.console.reading import Reading, Shelf
    from bus.console.signing import read_oidc
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "DEFAULT",
    "NOBODY",
    "OFF",
    "Child",
    "Demonstration",
    "Hub",
    "HubError",
    "People",
    "Place",
    "Public",
    "Reading",
    "Session",
    "Shelf",
    "SignInError",
    "Viewer",
    "address_of",
    "app",
    "missing_packages",
    "public_of",
    "read_oidc",
]
