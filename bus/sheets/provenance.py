"""Why one can rely on a bulletin, in six sentences: who, when, how checked, by which key, when it came, what its trust means.

The sentences are computed from what admission recorded, so they say no more than was checked. A label becomes its consequence.
"""

from __future__ import annotations

from bus.sheets.shape import Known
from bus.sheets.telling import Telling, moment
from schemas.bulletin import Bulletin
from schemas.passing_on import countries, embargo, last_day
from schemas.vocab import AttributionRule, Tlp


def provenance(tell: Telling, b: Bulletin, known: Known) -> tuple[str, ...]:
    """The six sentences, in their order."""
    return (
        _who(tell, b, known),
        tell.say.say("when", issued=moment(b.issued), seq=b.seq, expires=moment(b.expires)),
        tell.say.say(
            "checked" if known.admitted_at is not None else "checked-own" if known.is_own else "not-checked"
        ),
        _key(tell, b, known),
        _came(tell, b, known),
        _labels(tell, known),
    )


def _who(tell: Telling, b: Bulletin, known: Known) -> str:
    issuer = b.issuer
    name = f"{issuer.name} ({issuer.id})" if issuer.name else issuer.id
    said = tell.say.say(
        "who",
        name=name,
        audience=b.audience,
        kind=tell.say.word("authority-kind", issuer.kind),
        country=issuer.country,
        domain=tell.text("domain", issuer.domain),
    )
    if not b.co_issuers:
        return said
    named = ", ".join(each.id for each in b.co_issuers)
    return f"{said} {tell.say.say('who-with', names=named, signed=', '.join(known.endorsers) or '-')}"


def _key(tell: Telling, b: Bulletin, known: Known) -> str:
    if not known.kid:
        return tell.say.say("by-unknown")
    if not known.network:
        return tell.say.say("by-key-alone", kid=known.kid)
    return tell.say.say(
        "by-key" if known.names_key else "by-key-gone",
        kid=known.kid,
        version=known.registry_version,
        network=known.network,
        issuer=b.issuer.id,
    )


def _came(tell: Telling, b: Bulletin, known: Known) -> str:
    if known.admitted_at is None:
        return tell.say.say("came-not", state=known.state or "-")
    delay = tell.span(max(0.0, (known.admitted_at - b.issued).total_seconds()))
    return tell.say.say("came", time=moment(known.admitted_at), delay=delay)


def _labels(tell: Telling, known: Known) -> str:
    if not known.trust and not known.labels:
        return tell.say.say("trust-none")
    name = f"trust-{known.trust}"
    said = [tell.say.say(name) if tell.say.has(name) else tell.say.say("trust-unknown", trust=known.trust)]
    for label in sorted(known.labels):
        name = f"label-{label}"
        said.append(tell.say.say(name) if tell.say.has(name) else tell.say.say("label-other", label=label))
    if not known.labels:
        said.append(tell.say.say("label-none"))
    return " ".join(said)


def marks(tell: Telling, b: Bulletin, known: Known) -> tuple[str, ...]:
    """The allowed recipients and use of a bulletin: the two markings in capitals, then a sentence for each.

    The words are those of `schemas.passing_on`, which says them in English.
    """
    say, until, allowed, day = tell.say, embargo(b, known.now), countries(b), last_day(b)
    named = say.say("for-audience", audience=b.audience) if b.tlp is not Tlp.CLEAR else b.audience
    said = [
        f"TLP:{b.tlp.upper()}  PAP:{b.pap.upper()}  {named}",
        f"PAP:{b.pap.upper()}: {say.say(f'pap-{b.pap}')}",
    ]
    if until is not None:
        said.append(say.say("embargo-until", time=moment(until)))
    if allowed:
        said.append(say.say("releasable", countries=", ".join(sorted(allowed))))
    if b.handling.anonymise_source:
        said.append(say.say("source-withheld"))
    if b.handling.attribution is AttributionRule.MUST_NOT:
        said.append(say.say("not-attributed"))
    if day is not None:
        said.append(say.say("kept-until", date=day))
    return tuple(said)
