"""Signing in to the console: who sends a request, in which session, and each way to begin one."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.console.signing import cookies
    from bus.console.signing.entrance import AGAIN, Closed, Entrance, Way
    from bus.console.signing.oidc import Oidc
    from bus.console.signing.oidc_settings import OidcSettings, read_oidc
    from bus.console.signing.passkeys import Passkeys
    from bus.console.signing.provider import Provider
    from bus.console.signing.requests import (
        HOME,
        address_asked,
        address_of,
        form_token,
        metered,
        sent_away,
        typed_of,
        voice_of,
        words_of,
    )
    from bus.console.signing.walls import Walls
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "AGAIN",
    "HOME",
    "Closed",
    "Entrance",
    "Oidc",
    "OidcSettings",
    "Passkeys",
    "Provider",
    "Walls",
    "Way",
    "address_asked",
    "address_of",
    "cookies",
    "form_token",
    "metered",
    "read_oidc",
    "sent_away",
    "typed_of",
    "voice_of",
    "words_of",
]
