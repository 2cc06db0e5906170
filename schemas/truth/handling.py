"""Handling: requested actions fit the PAP, and a secret source is not named."""

from __future__ import annotations

import re

from schemas.bulletin import Bulletin
from schemas.errors import Broken
from schemas.vocab import Pap

TOUCHES = frozenset({"block-indicator", "block-access-order", "block-sender", "suspend-domain"})
"""Actions on the watched target; PAP:GREEN is the narrowest that allows them."""
NOTICED = frozenset(
    {
        *("notify-platform", "label-or-contextualise", "request-takedown-order", "request-account-measure"),
        *("suspend-broadcast", "stop-advertising", "public-attribution", "diplomatic-demarche"),
        *("pre-bunk", "debunk", "strategic-communication"),
    }
)
"""Actions that others can notice; PAP:RED forbids them."""
_BY_DIGEST = re.compile(r"sha256:[0-9a-f]{32,64}")


def r70(b: Bulletin) -> Broken:
    """The PAP allows every requested action (MISP taxonomy PAP, version 3: RED nothing that is noticed, AMBER no blocking)."""
    if b.pap in (Pap.CLEAR, Pap.GREEN):
        return
    is_red = b.pap is Pap.RED
    for n, action in enumerate(b.actions):
        if action.kind in TOUCHES or (is_red and action.kind in NOTICED):
            why = "others notice it" if is_red else "it acts on a target that may only be watched"
            yield (
                f"$.actions[{n}].kind",
                f"PAP:{b.pap.upper()} forbids {action.kind}, because {why}; drop the action, or choose PAP:GREEN",
            )


def r71(b: Bulletin) -> Broken:
    """A source that must not be disclosed is not named (MISP taxonomy tlp: EX:CHR, the Chatham House Rule)."""
    if not b.handling.anonymise_source:
        return
    for n, origin in enumerate(b.provenance):
        if origin.original_id is not None and not _BY_DIGEST.fullmatch(origin.original_id):
            yield (
                f"$.provenance[{n}].original_id",
                "the source must not be disclosed, but this id leads to it; write its digest (sha256:…), or leave it out",
            )


RULES = ((70, r70), (71, r71))
