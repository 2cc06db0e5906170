"""The console of a hub, as the options of `tocsin hub run` and the chosen context have it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bus import console
from bus.config import DESK_FILE, OIDC_FILE, STORE_FILE

if TYPE_CHECKING:
    from bus.cli.frame import App
    from bus.console import Place


def oidc_file(app: App) -> Path | None:
    """The settings of the single sign-on, beside those of contexts; None where there are none."""
    file = app.loaded.home / OIDC_FILE
    return file if file.exists() else None


def console_of(app: App, text: str | None, url: str | None) -> Place | None:
    """The settings of the console of the chosen context; None where none is wanted.

    Args:
        app: with the context.
        text: where it listens; None for the default.
        url: where visitors find it; None without a proxy.

    Raises:
        ConfigError: `console-address`, `console-url`.
    """
    public = console.public_of(url) if url else None
    address = console.address_of(text or console.DEFAULT)
    if address is None:
        return None
    context, folder = app.identity, app.state_folder()
    return console.Place(
        host=address[0],
        port=address[1],
        else_any=text is None and public is None,  # a proxy knows one port
        authority=context.authority,
        store=folder / STORE_FILE,
        desk=folder / DESK_FILE,
        registry=context.registry,
        pin=context.pin,
        domain=context.domain,
        beacon=context.beacon,
        contacts=context.contacts,
        public=public,
        oidc=oidc_file(app),
    )
