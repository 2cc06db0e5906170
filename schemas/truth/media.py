"""Media: the limits of what a check of a work can show."""

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
    """A check names a work in the bulletin, and claims no more than its method can show (C2PA 2.1, section 14)."""
    if not b.media_checks:
        return
    held = counts(b)
    for n, check in enumerate(b.media_checks):
        path = f"$.media_checks[{n}]"
        if check.of != "body" and (check.of.partition("/")[0] not in _WORKS or not is_there(check.of, held)):
            yield (
                f"{path}.of",
                f"{check.of} is not a work in this bulletin; name one of observables, evidence or things, or body",
            )
        if check.method == "content-credentials":
            if check.c2pa is None:
                yield (
                    f"{path}.c2pa",
                    "a check of content credentials must say whether they are present; add it",
                )
            elif check.c2pa is ContentCredentials.ABSENT and check.verdict != "inconclusive":
                yield (
                    f"{path}.verdict",
                    "missing credentials prove nothing; write inconclusive, or another method",
                )
            elif check.c2pa is ContentCredentials.INVALID and check.verdict == "authentic":
                yield (
                    f"{path}.verdict",
                    "says authentic, but the credentials are not valid; correct one of the two",
                )
        if check.signer is not None and check.c2pa in (None, ContentCredentials.ABSENT):
            yield f"{path}.signer", "the credentials are absent, so they have no signer; remove it"
        if check.method == "detector" and check.certainty is None:
            yield f"{path}.certainty", "a detector gives a probability; add it"
        if check.verdict == "inconclusive" and (check.certainty or 0) >= _SURE:
            yield (
                f"{path}.certainty",
                f"says inconclusive, but certain to {check.certainty} %; correct one of the two",
            )
        if check.checked is not None and check.checked - b.issued > SKEW:
            yield (
                f"{path}.checked",
                "is after the issue of the bulletin; give the time of the check",
            )
    shown = {check.verdict for check in b.media_checks}
    if isinstance(b.body, Fimi) and b.body.synthetic == "none" and "synthetic" in shown:
        yield "$.body.synthetic", "says none, but a check finds something synthetic; correct one of the two"


RULES = ((80, r80),)
