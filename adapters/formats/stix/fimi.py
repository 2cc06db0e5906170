"""The `fimi` body of a STIX report about information manipulation: channels, narratives and methods, in the form of OpenCTI exports."""

import re
from collections.abc import Sequence
from itertools import chain
from typing import Final

from adapters.formats.stix.objects import held_values, references, text_of
from adapters.formats.stix.scope import Scope
from adapters.translation.gathering import at_most
from adapters.translation.markings import Marking
from adapters.translation.prose import carried, one_line
from adapters.translation.reading import Losses, slug
from schemas.bodies.foreign import Abcde, Fimi, Narrative
from schemas.observables import platform_named
from schemas.parts import Ttp
from schemas.vocab import Tlp

__all__ = ["fimi_of", "is_manipulation"]

MAX_METHODS: Final = 20
MAX_NARRATIVES: Final = 30
MAX_CHANNELS: Final = 30

_MANIPULATION: Final = ("channel", "event", "media-content", "narrative")
# Words in the name of a technique -> slug of `manipulation-method`. Names last longer than ids: DISARM has renumbered its techniques.
_METHODS: Final = (
    ("deepfake.*video|video.*deepfake|deceptively edit video", "deepfake-video"),
    ("deepfake.*audio|audio.*deepfake|deceptively edit audio", "deepfake-audio"),
    ("deepfake.*image|image.*deepfake|deceptively edit image", "deepfake-image"),
    ("ai-generated text|generate.*text", "ai-generated-text"),
    ("cheap ?fake", "cheap-fake"),
    ("astroturf", "astroturfing"),
    ("hashtag", "hashtag-hijack"),
    ("typosquat|lookalike|clone|spoof|parody", "website-cloning"),
    (
        "impersonat.*(news|media|outlet|entity|organi)|(news|media) (outlet|site).*persona",
        "media-impersonation",
    ),
    (r"\bbots?\b|botnet|automate", "bot-amplification"),
    (
        "inauthentic (account|site|news|website)|fake account|sock ?puppet|anonymous account|cyborg",
        "inauthentic-network",
    ),
    ("paid influencer|influencer", "paid-influencers"),
    (r"\bads?\b|advert|targeted ad", "covert-advertising"),
    ("forge|fabricat|leak altered|false document", "fabricated-document"),
    ("hack and leak|leak", "hack-and-leak"),
    ("harass", "harassment"),
    ("incite|violence", "incitement"),
    ("flood", "fact-checker-flooding"),
)
_COMPILED: Final = tuple((re.compile(words, re.IGNORECASE), method) for words, method in _METHODS)


def is_manipulation(scope: Scope, ttps: Sequence[Ttp]) -> bool:
    """Whether a report is about manipulation of information, not of machines."""
    return bool(scope.of(*_MANIPULATION)) or any(ttp.framework in ("amitt", "disarm") for ttp in ttps)


def fimi_of(scope: Scope, ttps: Sequence[Ttp], marking: Marking, prose: str | None, losses: Losses) -> Fimi:
    """Builds the body.

    Args:
        scope: The report and its objects.
        ttps: Its techniques, named.
        marking: Its marking; CLEAR counts as already public.
        prose: The description of the report.
        losses: Records content without a field.
    """
    campaigns = [text_of(item, "name") for item in scope.of("campaign")]
    platforms = [
        held.platform or held.found.platform
        for item in scope.of("user-account", "url", "media-content")
        for held in held_values(item)
    ]
    types = chain.from_iterable(references(item, "channel_types") for item in scope.of("channel"))
    platforms += [platform_named(slug(each)) for each in types]
    narratives: dict[str, Narrative] = {}
    for item in scope.of("narrative"):
        words, lang = text_of(item, "name") or text_of(item, "description"), text_of(item, "lang")
        if text := carried(words, limit=500, path="narrative.name", losses=losses):
            spoken = lang if re.fullmatch("[a-z]{2,3}", lang) else None
            narratives.setdefault(text, Narrative(text=text, lang=spoken))
    behaviour = carried(prose or "", limit=2_000, path="report.description", losses=losses)
    return Fimi(
        scope="campaign" if campaigns else "incident",
        name=one_line(campaigns[0], path="campaign.name", losses=losses) if campaigns else None,
        methods=_methods(ttps),
        abcde=Abcde(behaviour=behaviour),
        narratives=at_most(narratives.values(), MAX_NARRATIVES, "narrative", losses),
        channels=tuple(dict.fromkeys(filter(None, platforms)))[:MAX_CHANNELS],
        exposed=marking.tlp is Tlp.CLEAR,
    )


def _methods(ttps: Sequence[Ttp]) -> tuple[str, ...]:
    found = (
        next((method for words, method in _COMPILED if words.search(ttp.name or "")), None) for ttp in ttps
    )
    return tuple(dict.fromkeys(filter(None, found)))[:MAX_METHODS] or ("other",)
