"""The demonstration: two fictitious countries with fourteen authorities and two hubs, run for real on one machine, and a story."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.demo.caution import warning
    from bus.demo.countries import KEY_LIFETIME
    from bus.demo.drafts import put_drafts
    from bus.demo.federation import COUNTRIES, Joined, found, joined
    from bus.demo.founding import BEACON_LIFETIME
    from bus.demo.keyring import load_key
    from bus.demo.show import ROUND_EVERY_S, Demo
    from bus.demo.stage import (
        PATIENCE_S,
        Hub,
        Stage,
        StepError,
        clock,
        forged,
        played,
        send,
        step,
        until,
    )
    from bus.demo.story import Told
    from bus.demo.tally import Tally
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "BEACON_LIFETIME",
    "COUNTRIES",
    "KEY_LIFETIME",
    "PATIENCE_S",
    "ROUND_EVERY_S",
    "Demo",
    "Hub",
    "Joined",
    "Stage",
    "StepError",
    "Tally",
    "Told",
    "clock",
    "forged",
    "found",
    "joined",
    "load_key",
    "played",
    "put_drafts",
    "send",
    "step",
    "until",
    "warning",
]
