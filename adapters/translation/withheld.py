"""A source that must not be disclosed: its id is given as a digest, and no link leads to it (rule R71)."""

from __future__ import annotations

import msgspec

from adapters.translation.reading import Losses, identifier
from schemas.bulletin import Draft
from schemas.parts import Provenance


def digested(origin: Provenance) -> Provenance:
    """The provenance with the digest of its id: equal ids stay equal, but nobody can find the document by it."""
    named = origin.original_id
    if named is None or named.startswith("sha256:"):
        return origin
    return msgspec.structs.replace(origin, original_id=identifier(f"{named} "))


def unlinked(draft: Draft, losses: Losses) -> Draft:
    """The draft without links to the site of its source, which must not be disclosed (rule R71)."""
    if not any(info.web for info in draft.info):
        return draft
    losses.add("info.web", "a link of a source that is not to be disclosed is not carried")
    return msgspec.structs.replace(
        draft, info=tuple(msgspec.structs.replace(info, web=None) for info in draft.info)
    )
