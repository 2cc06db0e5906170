"""Watches the channels: which are live, late or silent, and the alarms and notices about them."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.hub.watch import alarms, holdings
    from bus.hub.watch.alarms import recorded_alarms
    from bus.hub.watch.channels import ChannelRow, channel_rows, real
    from bus.hub.watch.holdings import Holdings
    from bus.hub.watch.liveness import Liveness, Reason
    from bus.hub.watch.notices import Notices
    from bus.hub.watch.watch import LOOK_S, Watch
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "LOOK_S",
    "ChannelRow",
    "Holdings",
    "Liveness",
    "Notices",
    "Reason",
    "Watch",
    "alarms",
    "channel_rows",
    "holdings",
    "real",
    "recorded_alarms",
]
