"""Markings: TLP and PAP agree, and classified information is refused."""

from __future__ import annotations

import re

from schemas.bulletin import Bulletin
from schemas.errors import Broken
from schemas.truth.wording import odd_words
from schemas.vocab import TLP_RANK, AttributionRule, Pap, Tlp

_EU = (
    r"(?:TR[EÈ]S SECRET UE|SECRET UE|CONFIDENTIEL UE|RESTREINT UE|EU TOP SECRET|EU SECRET|EU CONFIDENTIAL|EU RESTRICTED"
    r"|R-UE|C-UE|S-UE|TS-UE|EU-R|EU-C|EU-S|EU-TS)"
)
_OTHER = (
    r"(?:COSMIC TOP SECRET|NATO SECRET|NATO CONFIDENTIAL|NATO RESTRICTED|STRENG GEHEIM|GEHEIM|VS[ -–]+VERTRAULICH"
    r"|VS[ -–]*NfD|VS[ –-]+NUR FÜR DEN DIENSTGEBRAUCH|SECRET D[ÉE]FENSE|TR[ÈE]S SECRET|DIFFUSION RESTREINTE"
    r"|ŚCIŚLE TAJNE|TAJNE|POUFNE|ZASTRZEŻONE|SEGRETISSIMO|SEGRETO|RISERVATISSIMO|RISERVATO|SECRETO|RESERVADO|DIFUSIÓN LIMITADA"
    r"|ZEER GEHEIM|DEPARTEMENTAAL VERTROUWELIJK|VYHRAZENÉ|VYHRADENÉ|DŮVĚRNÉ|DÔVERNÉ|TAJNÉ|STRICT SECRET|SECRET DE SERVICIU"
    r"|STROGO ZAUPNO|STROGO TAJNO|RIBOTO NAUDOJIMO|DIENESTA VAJADZĪBĀM|PIIRATUD|KVALIFICERAT HEMLIG|HEMLIG|YDERST HEMMELIGT|HEMMELIGT"
    r"|TIL TJENESTEBRUG|ERITTÄIN SALAINEN|SALAINEN|KORLÁTOZOTT TERJESZTÉSŰ|SZIGORÚAN TITKOS|ΑΠΌΡΡΗΤΟ|ΑΠΟΡΡΗΤΟ|ΕΜΠΙΣΤΕΥΤΙΚΟ"
    r"|СТРОГО СЕКРЕТНО|СЕКРЕТНО|ПОВЕРИТЕЛНО|ЗА СЛУЖЕБНО ПОЛЗВАНЕ"
    r"|TOP SECRET|SECRET|CONFIDENTIAL|RESTRICTED)"
)
_LEVEL = r"(?:^|\n|[.!?…][\"”»)\]]?[ \t])"
"""The place of a marking: at the beginning of a line or a sentence."""
_CALLED = (
    r"\b(?:(?:[Ss]ecurity )?[Cc]lassification|CLASSIFICATION|[Cc]lassified as|[Mm]arking|[Ee]instufung|[Nn]iveau|[Kk]lauzula"
    r"|[Cc]lassificazione|[Cc]lasificación)(?: level)? ?:"
)
"""The word for a marking."""
CLASSIFIED = re.compile(
    rf"{_LEVEL}[ \t\[(*/_–—-]{{0,8}}(?:{_EU}(?:\s*/\s*{_EU})?|{_OTHER})(?:\s*//?\s*[A-Z ]+)?[\s*_]*(?=[\])\n:.|–—]|\s-\s|-{{2}}|//|$)"
    rf"|{_CALLED}[ \t\[(*/_–—-]{{0,8}}(?:{_EU}|{_OTHER})(?![\w-])"
    rf"|[–—|-][ \t]{{0,3}}{_EU}\s?/\s?{_EU}[\s.\])*]{{0,4}}$"
)
"""A classification used as a marking: in capitals, followed only by a dash or an end."""
_LABELLED = re.compile(
    r"(?:^|[:=-])(?:(?:tres-)?secret|confidentiel|restreint|r|c|s|ts)-(?:ue|defense)(?:-|$)|(?:^|[:=-])(?:r|c|s|ts)-ue-eu-|(?:^|[:=-])eu-(?:top-secret|secret"
    r"|confidential|restricted)(?:-|$)|nato-(?:secret|confidential|restricted)|cosmic-top-secret|(?:^|[:=-])(?:top-secret|vs-nfd|streng-geheim|strictly-secret)(?:-|$)"
    r"|(?:classif[a-z]*|marking|einstufung|vs|secrecy|clearance|sensitivity|confidentiality)[:=-](?:[a-z-]*[=:-])?(?:secret|confidential|restricted|geheim"
    r"|vertraulich|secreto|segreto|tajne|poufne|hemlig|top-secret)$"
)
"""A label in small letters with dashes that names a classification."""
_TLP = re.compile(r"(?:^|\n)[ \t\[(*]{0,8}TLP ?: ?(RED|AMBER\+STRICT|AMBER|GREEN|CLEAR|WHITE)\b")


def r45(b: Bulletin) -> Broken:
    """PAP fits TLP (PAP, MISP taxonomy: RED is nothing that others notice; FIRST TLP 2.0)."""
    if b.pap is Pap.CLEAR and b.tlp in (Tlp.AMBER, Tlp.AMBER_STRICT):
        yield (
            "$.pap",
            f"TLP:{b.tlp.upper()} has few readers, but PAP:CLEAR lets all act on it; choose a narrower PAP",
        )
    if b.tlp is Tlp.CLEAR and b.pap is Pap.RED:
        yield "$.pap", "everybody may read it, so PAP:RED hides nothing; choose PAP:CLEAR, or a narrower TLP"


def r46(b: Bulletin) -> Broken:
    """Handling agrees with itself and with the marking (FIRST IEP 2.0; Directive (EU) 2022/2555, Article 23(7))."""
    handling = b.handling
    if handling.embargo_until is not None and handling.embargo_until >= b.expires:
        yield (
            "$.handling.embargo_until",
            "it expires before it may be passed on; end the embargo before expires",
        )
    if b.tlp is Tlp.CLEAR and handling.releasable_to:
        yield (
            "$.handling.releasable_to",
            "TLP:CLEAR is for everybody; drop releasable_to, or choose a narrower TLP",
        )
    if handling.anonymise_source and handling.attribution is AttributionRule.MUST:
        yield (
            "$.handling.attribution",
            "handling says both that the source must be named and that it must not; choose one",
        )
    if not handling.notify_affected:
        for n, action in enumerate(b.actions):
            if action.kind == "notify-affected":
                yield (
                    f"$.actions[{n}].kind",
                    "handling says that affected parties must not be told; drop one of the two",
                )


def r47(b: Bulletin) -> Broken:
    """Classified information is not allowed (Decision 2013/488/EU, Article 9 and Annex III)."""
    for n, label in enumerate(b.labels):
        name, _, value = label.partition(":")
        is_level = name in ("euci", "nato", "classification-eu") and value not in ("none", "unclassified")
        if is_level or _LABELLED.search(re.sub(r"[^a-z:=]+", "-", label.casefold()).strip("-")):
            yield f"$.labels[{n}]", "classified information is not allowed here; use the accredited network"
    for path, text in odd_words(b):
        if CLASSIFIED.search(text):
            yield (
                path,
                "has a classification marking; classified information is not allowed here; remove the marking if it is wrong",
            )


def r48(b: Bulletin) -> Broken:
    """Texts and labels name no other marking than that of the bulletin (FIRST TLP 2.0)."""
    for n, label in enumerate(b.labels):
        name, _, value = label.partition(":")
        if name == "tlp" and _narrower(value, b.tlp):
            yield (
                f"$.labels[{n}]",
                f"narrower than TLP:{b.tlp.upper()}, but only the marking of the bulletin counts; correct one of the two",
            )
    for path, text in odd_words(b):
        for found in _TLP.finditer(text):
            if _narrower(found[1].lower(), b.tlp):
                yield (
                    path,
                    f"says TLP:{found[1]}, but the bulletin is TLP:{b.tlp.upper()}; correct one of the two",
                )
                break


def _narrower(word: str, tlp: Tlp) -> bool:
    try:
        return TLP_RANK[Tlp(word)] > TLP_RANK[tlp]
    except ValueError:
        return False


RULES = ((45, r45), (46, r46), (47, r47), (48, r48))
