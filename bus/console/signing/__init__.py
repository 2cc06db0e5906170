"""Signing in to the console: who sends a request, in which session, and each way to begin one."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.console.signing.entrance import (
        HOME,
        Entrance,
        address_asked,
        address_of,
        form_token,
        metered,
        sent_away,
        voice_of,
    )
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "HOME",
    "Entrance",
    "address_asked",
    "address_of",
    "form_token",
    "metered",
    "sent_away",
    "voice_of",
]
