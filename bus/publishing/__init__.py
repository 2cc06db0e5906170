"""Publishes bulletins: stamp, sign, keep, send."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.publishing import outbox_table, recent, resend, versions
    from bus.publishing.drafted import revised
    from bus.publishing.fitness import Behind, Unfit, fit_to_sign
    from bus.publishing.heads_lines import heads_path
    from bus.publishing.heartbeat import UNSTAFFED, Heartbeat, Intervals, Watchkeeping
    from bus.publishing.outbox import Outbox, Row
    from bus.publishing.outbox_table import RowState
    from bus.publishing.own_keys import check_keys
    from bus.publishing.publisher import GROUP, Accepted, Publisher
    from bus.publishing.reanchor import Anchor, Reanchoring
    from bus.publishing.recovery import Lost, Recovery
    from bus.publishing.resend import resend_asked
    from bus.publishing.sender import Sender
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "GROUP",
    "UNSTAFFED",
    "Accepted",
    "Anchor",
    "Behind",
    "Heartbeat",
    "Intervals",
    "Lost",
    "Outbox",
    "Publisher",
    "Reanchoring",
    "Recovery",
    "Row",
    "RowState",
    "Sender",
    "Unfit",
    "Watchkeeping",
    "check_keys",
    "fit_to_sign",
    "heads_path",
    "outbox_table",
    "recent",
    "resend",
    "resend_asked",
    "revised",
    "versions",
]
