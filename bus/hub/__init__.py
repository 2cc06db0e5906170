"""The national hub: its picture of admitted bulletins, and the queries of that picture."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.hub import acting, clocks, elections, exchange, incidents, picture, retention, scrub, watch
    from bus.hub.elections import (
        Calendar,
        CountryPhase,
        Election,
        calendars,
        of_country,
        phase_in,
        standing,
        windows,
    )
    from bus.hub.scrub import Compared, Damage
    from bus.hub.service import HubService
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "Calendar",
    "Compared",
    "CountryPhase",
    "Damage",
    "Election",
    "HubService",
    "acting",
    "calendars",
    "clocks",
    "elections",
    "exchange",
    "incidents",
    "of_country",
    "phase_in",
    "picture",
    "retention",
    "scrub",
    "standing",
    "watch",
    "windows",
]
