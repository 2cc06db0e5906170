"""Reads sharing marks (TLP, PAP, Chatham House, classification) out of a source's own labels, and never reads one too weakly.

Rules:
    * several marks on one report: the most restrictive holds;
    * a mark of a known family with an unknown level is a refusal, not a guess;
    * a classified label is a refusal: classified information does not travel on this bus;
    * TLP 1.0 WHITE is TLP 2.0 CLEAR.

Sources: FIRST Traffic Light Protocol 2.0; the MISP taxonomies tlp (version 10) and PAP (version 3).
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

import msgspec

from adapters.translation.reading import FormatError, Losses
from schemas.vocab import TLP_RANK, Pap, Tlp

__all__ = ["Mark", "Marking", "read_mark", "strictest"]

_TLP: Final = {
    "red": Tlp.RED,
    "amber+strict": Tlp.AMBER_STRICT,
    "amber-strict": Tlp.AMBER_STRICT,
    "amber strict": Tlp.AMBER_STRICT,
    "amber_strict": Tlp.AMBER_STRICT,
    "amber": Tlp.AMBER,
    "green": Tlp.GREEN,
    "clear": Tlp.CLEAR,
    "white": Tlp.CLEAR,
}
_PAP: Final = {
    "red": Pap.RED,
    "amber": Pap.AMBER,
    "green": Pap.GREEN,
    "clear": Pap.CLEAR,
    "white": Pap.CLEAR,
}
_PAP_RANK: Final = {Pap.CLEAR: 0, Pap.GREEN: 1, Pap.AMBER: 2, Pap.RED: 3}

_FAMILY: Final = re.compile(r'(?:^|[^a-z0-9])(tlp|pap)\s*([:=/_.-]|\s|$)\s*"?([^"]*?)"?\s*$')
_CLASSIFIED: Final = re.compile(r"^\s*(?:euci|nato|fr-classif|de-vs)\s*:\s*(.*)$")
_NOT_CLASSIFIED: Final = ("unclassified", "non-classif", "non-proteg", "non_classif", "not-classified")


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """One sharing mark and where it stood in the source."""

    path: str
    tlp: Tlp | None = None
    pap: Pap | None = None
    anonymise_source: bool = False


class Marking(msgspec.Struct, frozen=True, kw_only=True):
    """What all marks of one report add up to; None means that the source says nothing."""

    tlp: Tlp | None = None
    pap: Pap | None = None
    anonymise_source: bool = False

    @property
    def audience(self) -> str | None:
        """The audience that follows from the marking alone: `public` at CLEAR, else left to the adapter's manifest."""
        return "public" if self.tlp is Tlp.CLEAR else None

    @property
    def may_name_individuals(self) -> bool:
        """Whether natural persons without a public role may be named: AMBER+STRICT and RED only (rule R14)."""
        return self.tlp in (Tlp.AMBER_STRICT, Tlp.RED)


def read_mark(text: str, path: str) -> Mark | None:
    """Reads one label of a source.

    Args:
        text: The label as it stands there, such as ``tlp:amber+strict`` or ``PAP:RED``.
        path: Where it stands, for the refusal and the loss report.

    Returns:
        The mark, or None for a label that is no sharing mark.

    Raises:
        FormatError: ``unknown-marking`` for a level that cannot be read with certainty, ``classified`` for a classified label.
    """
    label = _plain(text)
    if _CLASSIFIED.match(label) and not any(word in label for word in _NOT_CLASSIFIED):
        raise FormatError(f"{path}: a label of classified information", reason="classified")
    if label.startswith("misp-galaxy:"):
        return None
    found = _FAMILY.search(label)
    if found is None:
        return None
    family, joint, level = found.groups()
    if family == "tlp":
        if level == "ex:chr":
            return Mark(path=path, anonymise_source=True)
        if level in _TLP:
            return Mark(path=path, tlp=_TLP[level])
    elif level in _PAP:
        return Mark(path=path, pap=_PAP[level])
    elif joint not in (":", "="):
        return None
    raise FormatError(f"{path}: no known level of {family.upper()}", reason="unknown-marking")


def strictest(marks: Iterable[Mark], losses: Losses) -> Marking:
    """Adds marks up: the most restrictive TLP and PAP hold; a weaker one is recorded as a loss."""
    found = tuple(marks)
    tlp = max((mark.tlp for mark in found if mark.tlp), key=TLP_RANK.__getitem__, default=None)
    pap = max((mark.pap for mark in found if mark.pap), key=_PAP_RANK.__getitem__, default=None)
    for mark in found:
        if mark.tlp is not None and mark.tlp is not tlp:
            losses.add(mark.path, f"TLP {mark.tlp} gives way to the stricter {tlp}")
        if mark.pap is not None and mark.pap is not pap:
            losses.add(mark.path, f"PAP {mark.pap} gives way to the stricter {pap}")
    if tlp is Tlp.RED and pap is Pap.CLEAR:
        losses.add("PAP", "PAP CLEAR contradicts TLP RED (rule R10): read as PAP RED")
        pap = Pap.RED
    return Marking(tlp=tlp, pap=pap, anonymise_source=any(mark.anonymise_source for mark in found))


def _plain(text: str) -> str:
    """Folds case, width and invisible characters, so that a look-alike spelling is judged by what it shows."""
    folded = unicodedata.normalize("NFKC", text[:400]).casefold()
    visible = "".join(c for c in folded if unicodedata.category(c) not in ("Cf", "Cc"))
    # One space for any run of them: the patterns below allow white space in several places, and a long run could be
    # shared out among those in as many ways as its length cubed.
    return " ".join(visible.split())
