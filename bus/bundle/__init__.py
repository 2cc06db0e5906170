"""Registry and bulletins in one file, over an air gap."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.bundle.file import MAX_BUNDLE_BYTES, BundleError, Content, Opening, Summary, check, write
    from bus.bundle.transfer import (
        OF_OUTBOX,
        OF_STORE,
        Chosen,
        Taken,
        by_channel,
        carried,
        choose,
        hold,
        permit,
        take_in,
        trust_lines,
    )
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "MAX_BUNDLE_BYTES",
    "OF_OUTBOX",
    "OF_STORE",
    "BundleError",
    "Chosen",
    "Content",
    "Opening",
    "Summary",
    "Taken",
    "by_channel",
    "carried",
    "check",
    "choose",
    "hold",
    "permit",
    "take_in",
    "trust_lines",
    "write",
]
