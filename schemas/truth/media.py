"""Media: what a check of a work can show, and what it cannot."""

from __future__ import annotations

from schemas.bodies.foreign import Fimi
from schemas.bulletin import Bulletin
from schemas.errors import Broken
from schemas.links import counts, is_there
from schemas.truth.times import SKEW
from schemas.vocab import ContentCredentials

_WORKS = ("observables", "evidence", "things", "narratives")
_SURE = 80


def r80(b: Bulletin) -> Broken:
    """A check is of something in the bulletin, and shows no more than its method can (C2PA 2.1, section 14)."""
    if not b.media_checks:
        return
    held = counts(b)
    for n, check in enumerate(b.media_checks):
        path = f"$.media_checks[{n}]"
        if check.of != "body" and (check.of.partition("/")[0] not in _WORKS or not is_there(check.of, held)):
            yield (
                f"{path}.of",
                f"{check.of} is no work in this bulletin; name one of observables, evidence or things, or body",
            )
        if check.method == "content-credentials":
            if check.c2pa is None:
                yield f"{path}.c2pa", "a check of content credentials says whether they are present; add it"
            elif check.c2pa is ContentCredentials.ABSENT and check.verdict != "inconclusive":
                yield (
                    f"{path}.verdict",
                    "absent credentials prove nothing; write inconclusive, or the method that shows it",
                )
            elif check.c2pa is ContentCredentials.INVALID and check.verdict == "authentic":
                yield f"{path}.verdict", "authentic by credentials that are not valid; mend one of the two"
        if check.signer is not None and check.c2pa in (None, ContentCredentials.ABSENT):
            yield f"{path}.signer", "nobody signed credentials that are not there; take it out"
        if check.method == "detector" and check.certainty is None:
            yield f"{path}.certainty", "a detector gives no more than a probability; add it"
        if check.verdict == "inconclusive" and (check.certainty or 0) >= _SURE:
            yield (
                f"{path}.certainty",
                f"inconclusive, and certain to {check.certainty} in a hundred; mend one of the two",
            )
        if check.checked is not None and check.checked - b.issued > SKEW:
            yield (
                f"{path}.checked",
                "lies after the bulletin was issued; give the time at which it was checked",
            )
    shown = {check.verdict for check in b.media_checks}
    if isinstance(b.body, Fimi) and b.body.synthetic == "none" and "synthetic" in shown:
        yield "$.body.synthetic", "none, but a check finds something synthetic; mend one of the two"


RULES = ((80, r80),)
