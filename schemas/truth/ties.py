"""Ties: each joins two things of the bulletin, and is listed once."""

from __future__ import annotations

from schemas.bulletin import Bulletin
from schemas.errors import Broken
from schemas.links import counts, is_there
from schemas.vocab import TLP_RANK, Tlp

OF_PERSONS = frozenset({"person", "account", "mailbox", "phone"})
"""Kinds of things that identify a natural person."""


def r75(b: Bulletin) -> Broken:
    """Both ends of a tie are in the bulletin (STIX 2.1, section 2.2: source_ref and target_ref)."""
    if not b.links:
        return
    held = counts(b)
    for n, link in enumerate(b.links):
        for name, end in (("from", link.from_), ("to", link.to)):
            if not is_there(end, held):
                kind = end.partition("/")[0]
                yield (
                    f"$.links[{n}].{name}",
                    f"{end} does not exist, because {kind} has {held[kind]}; add it, or count again from 0",
                )


def r76(b: Bulletin) -> Broken:
    """Nothing is tied to itself, and no tie is listed twice."""
    said: set[tuple[str, str, str]] = set()
    for n, link in enumerate(b.links):
        tie = (link.from_, link.rel, link.to)
        if link.from_ == link.to:
            yield f"$.links[{n}]", f"{link.from_} is tied to itself; name the other end"
        elif tie in said:
            yield f"$.links[{n}]", "is listed twice; keep one"
        said.add(tie)


def r77(b: Bulletin) -> Broken:
    """A thing has a tie or a name, and only few readers see the name of a person's thing (GDPR, Article 5(1)(c); R14)."""
    if not b.things:
        return
    tied = {end for link in b.links for end in (link.from_, link.to)}
    for n, thing in enumerate(b.things):
        if thing.name is None:
            if f"things/{n}" not in tied:
                yield f"$.things[{n}]", "has neither a name nor a tie; remove it, or tie it to something"
        elif thing.kind in OF_PERSONS and TLP_RANK[b.tlp] < TLP_RANK[Tlp.AMBER_STRICT]:
            yield (
                f"$.things[{n}].name",
                f"a {thing.kind} is named only at TLP:AMBER+STRICT or RED; leave the name out, or give it as an observable",
            )


RULES = ((75, r75), (76, r76), (77, r77))
