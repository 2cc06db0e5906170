"""Reads sharing markings (TLP, PAP, Chatham House, classification, limits in words) of a source, never too weakly.

Rules:
    * several markings on one report: the most restrictive counts;
    * a marking on a part narrows the whole but does not mark it: an unmarked whole stays unmarked, and a part's CLEAR
      or GREEN does not count for the rest;
    * a marking of a known family with an unknown level is refused, not guessed;
    * a classified label is refused: classified information is not allowed on this bus;
    * a sentence that limits sharing is AMBER+STRICT, because its circle has no name on this bus;
    * TLP 1.0 WHITE is TLP 2.0 CLEAR.

Sources: FIRST Traffic Light Protocol 2.0; the MISP taxonomies tlp (version 10), PAP (version 3), iep and iep2-policy.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import msgspec

from adapters.translation.reading import FormatError, Losses
from schemas.vocab import TLP_RANK, Pap, Tlp

__all__ = ["Mark", "Marking", "is_harmless", "marks_in_words", "read_mark", "read_statement", "strictest"]

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

UNMARKED: Final = Tlp.AMBER_STRICT
"""The level for content without a marking, which goes to the adapter's own network."""

_FAMILY: Final = re.compile(r'(?:^|[^a-z0-9])(tlp|pap)\s*([:=/_.-]|\s|$)\s*"?([^"]*?)"?\s*$')
_CLASSIFIED: Final = re.compile(r"^\s*(?:euci|nato|fr-classif|de-vs)\s*:\s*(.*)$")
_NOT_CLASSIFIED: Final = ("unclassified", "non-classif", "non-proteg", "non_classif", "not-classified")
_PROTOCOL: Final = re.compile(r"\btraffic[ -]light[ -]protocol\b")
_AMERICAN: Final = re.compile(r'^dni-ism:classification:\w+\s*=\s*"?(?!u\b)')
_CLASSIFIED_WORDS: Final = re.compile(
    r"\b(?:(?:nato|eu|u[e]|cosmic|euratom)[ /-]{1,3}(?:top secret|secret|confidential|restricted)|(?:tr[eè]s secret|secret|confidentiel|"
    r"restreint) (?:u[e]|otan)\b|vs[ -]nfd\b|verschlusssache|diffusion restreinte u[e])"
)
# A sentence that excludes readers, or limits them. Narrow on purpose, because reports are searched too.
_LIMIT: Final = re.compile(
    r"\b(?:do not|don.?t|must not|may not|shall not|not to be|cannot be|never) (?:be )?(?:further |re-?|publicly )*"
    r"(?:shared?|distribut\w*|forward\w*|disclos\w*|disseminat\w*|circulat\w*|released?|publish\w*|pass(?:ed)?(?: on)?)"
    r"(?: (?:this|it|any of this|the (?:contents?|report|information|document|bulletin)|further|on|with anyone|to anyone))*"
    r"(?: (?:outside|beyond|externally|further|without|publicly|to the public|with third|to third)\b|\s*[.;!]|\s*$)"
    r"|\bnot for (?:\w+ )?(?:release|distribution|dissemination|disclosure|publication|sharing|circulation)\b"
    r"|\bno (?:further|onward|public|external) (?:release|distribution|dissemination|disclosure|publication|sharing)\b"
    r"|\bfor (?:internal|official|restricted|limited)(?: (?:use|distribution|eyes))? only\b|\binternal use only\b|\bfor internal use\b"
    r"|\b(?:restricted|limited|internal) (?:distribution|dissemination|circulation) only\b|\beyes only\b|\bneed[ -]to[ -]know basis\b"
    r"|\bne (?:pas|jamais) (?:diffuser|partager|divulguer|communiquer|transmettre|publier)\b|\bdiffusion (?:restreinte|limitée)\b"
    r"|\bnicht (?:weitergeben|weiterleiten|weiterverbreiten|veröffentlichen|zur (?:weitergabe|veröffentlichung))\b"
    r"|\bnur für den (?:internen |dienst)gebrauch\b|\bnur für den (?:internen|dienstlichen) gebrauch\b"
    r"|\b(?:no (?:difundir|compartir|divulgar)|non (?:diffondere|divulgare|condividere)|niet (?:verspreiden|delen buiten))\b"
)
_IN_WORDS: Final = re.compile(r"\btlp ?[:=-] ?\[?(red|amber ?[+_-] ?strict|amber|green)\b")
# Words of a statement about rights, not about sharing; nothing else in it may limit sharing.
_RIGHTS: Final = re.compile(
    r"copyright|©|\(c\) ?[0-9]|licen[cs]e|creative commons|\bcc[ -](?:by|0)|trade ?mark|public domain|rights reserved|"
    r"terms of use|approved for public release|droits réservés|all[e] rechte|urheberrecht"
)
_CARE: Final = re.compile(
    r"\b(?:only|solely|internal|confiden\w+|restrict\w*|limit\w*|outside|need[ -]to[ -]know|sensitive|private|secret|embargo\w*|"
    r"do not|must not|may not|not for|members?|recipients?)\b"
)
_MOST_WORDS: Final = (
    8_000  # normalising a hostile run of combining marks takes time of the square of its length
)


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """One sharing marking and its place in the source."""

    path: str
    tlp: Tlp | None = None
    pap: Pap | None = None
    anonymise_source: bool = False


class Marking(msgspec.Struct, frozen=True, kw_only=True):
    """The combined markings of one report; None means that the source has none."""

    tlp: Tlp | None = None
    pap: Pap | None = None
    anonymise_source: bool = False

    @property
    def audience(self) -> str | None:
        """The audience given by the marking: `public` at CLEAR; otherwise None, and the adapter's manifest decides."""
        return "public" if self.tlp is Tlp.CLEAR else None

    @property
    def may_name_individuals(self) -> bool:
        """Whether natural persons without a public role may be named: only at AMBER+STRICT and RED (rule R14)."""
        return self.tlp in (Tlp.AMBER_STRICT, Tlp.RED)


def read_mark(text: str, path: str) -> Mark | None:
    """Reads one label of a source.

    Args:
        text: The label, unchanged, such as ``tlp:amber+strict`` or ``PAP:RED``.
        path: Its place, for the refusal and the loss report.

    Returns:
        The marking; None for a label that is not a sharing marking.

    Raises:
        FormatError: ``unknown-marking`` for a level that cannot be read with certainty, ``classified`` for a classified label.
    """
    label = _PROTOCOL.sub("tlp", _plain(text))
    if _CLASSIFIED.match(label) and not any(word in label for word in _NOT_CLASSIFIED):
        raise FormatError(f"{path}: a label of classified information", reason="classified")
    if _AMERICAN.match(label) or (
        _CLASSIFIED_WORDS.match(label) and not any(word in label for word in _NOT_CLASSIFIED)
    ):
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
    raise FormatError(f"{path}: an unknown level of {family.upper()}", reason="unknown-marking")


def read_statement(text: str, path: str, losses: Losses) -> Mark | None:
    """Reads a marking that a source writes as a sentence.

    Args:
        text: The sentence, such as ``Do not share outside the working group``.
        path: Its place.
        losses: Always records it, because a bulletin has no field for its text.

    Returns:
        AMBER+STRICT, the narrowest circle without a name; None for a statement only about rights (copyright, licences).

    Raises:
        FormatError: ``classified`` for a classification, ``unknown-marking`` as `read_mark`.
    """
    words = _words(text)
    if not words:
        return None
    if _CLASSIFIED_WORDS.search(words):
        raise FormatError(f"{path}: a statement of classified information", reason="classified")
    if mark := read_mark(text, path):
        return mark
    if is_harmless(text):
        losses.add(path, "a statement of rights in a marking is not carried")
        return None
    found = marks_in_words(path, text)
    losses.add(path, "a marking in words limits sharing: read as TLP:AMBER+STRICT")
    return max(found, key=_rank) if found else Mark(path=path, tlp=Tlp.AMBER_STRICT)


def is_harmless(text: str) -> bool:
    """Whether a statement is only about rights (copyright, a licence) and does not limit sharing."""
    words = _words(text)
    return bool(_RIGHTS.search(words)) and not _CARE.search(words) and not _LIMIT.search(words)


def marks_in_words(path: str, *texts: str) -> tuple[Mark, ...]:
    """The limits on sharing in prose: a TLP level above CLEAR, or a sentence that forbids to pass it on.

    Args:
        path: Their place.
        texts: A title, a description, a note; the first 8000 characters of each are searched.

    Returns:
        Markings that can only narrow; CLEAR in prose is ignored.
    """
    words = " . ".join(map(_words, texts))
    levels = {_TLP[re.sub(r" ?[+_-] ?", "+", found)] for found in _IN_WORDS.findall(words)}
    if _LIMIT.search(words):
        levels.add(Tlp.AMBER_STRICT)
    return tuple(Mark(path=path, tlp=level) for level in sorted(levels))


def strictest(
    marks: Iterable[Mark], losses: Losses, *, parts: Iterable[Mark] = (), unmarked: int = 0
) -> Marking:
    """Combines markings: the most restrictive TLP and PAP count; a weaker one is recorded as a loss.

    Args:
        marks: The markings of the whole.
        losses: Records weaker markings, and markings of parts that do not count for the whole.
        parts: Markings of parts; they narrow the whole but do not mark it.
        unmarked: The number of unmarked parts, if the whole is unmarked.

    Returns:
        The marking. If the whole is unmarked, a part at AMBER or narrower makes it AMBER+STRICT or RED; with only
        wider parts it stays unmarked.
    """
    whole, of_parts = tuple(marks), tuple(parts)
    found = (*whole, *of_parts)
    tlp = max((mark.tlp for mark in found if mark.tlp), key=TLP_RANK.__getitem__, default=None)
    if tlp is not None and not any(mark.tlp for mark in whole):
        rest = f"the rest, {unmarked} parts among it" if unmarked else "the rest"
        path = min(mark.path for mark in of_parts if mark.tlp)
        losses.add(path, f"a marking of a part does not mark {rest}, which has none")
        narrow = TLP_RANK[tlp] >= TLP_RANK[Tlp.AMBER]
        tlp = max(tlp, UNMARKED, key=TLP_RANK.__getitem__) if narrow else None
    pap = max((mark.pap for mark in found if mark.pap), key=_PAP_RANK.__getitem__, default=None)
    if pap is not None and not any(mark.pap for mark in whole) and _PAP_RANK[pap] < _PAP_RANK[Pap.AMBER]:
        losses.add(min(mark.path for mark in of_parts if mark.pap), "a PAP of a part does not mark the rest")
        pap = None
    for mark in found:
        if mark.tlp is not None and tlp is not None and mark.tlp is not tlp:
            losses.add(mark.path, f"TLP {mark.tlp} gives way to the stricter {tlp}")
        if mark.pap is not None and pap is not None and mark.pap is not pap:
            losses.add(mark.path, f"PAP {mark.pap} gives way to the stricter {pap}")
    if tlp is Tlp.RED and pap is Pap.CLEAR:
        losses.add("PAP", "PAP CLEAR contradicts TLP RED (rule R10): read as PAP RED")
        pap = Pap.RED
    return Marking(tlp=tlp, pap=pap, anonymise_source=any(mark.anonymise_source for mark in found))


def _rank(mark: Mark) -> int:
    return TLP_RANK[mark.tlp] if mark.tlp else -1


def _words(text: str) -> str:
    """Prose prepared for the search: folded like a label, with plain apostrophes."""
    return _folded(text[:_MOST_WORDS])


@lru_cache(maxsize=16)  # one statement is read several times
def _folded(text: str) -> str:
    return _plain(text, _MOST_WORDS).replace("’", "'")


def _plain(text: str, most: int = 400) -> str:
    """Folds case, width and invisible characters, so that a look-alike spelling is read as it appears."""
    folded = unicodedata.normalize("NFKC", text[:most]).casefold()
    if not folded.isascii() or not folded.isprintable():
        # A line break separates words; an invisible character does not.
        folded = "".join(
            " " if c.isspace() else c
            for c in folded
            if c.isspace() or unicodedata.category(c) not in ("Cf", "Cc")
        )
    visible = folded
    # A run of spaces becomes one: the patterns below allow white space in several places, and a long run would give
    # as many possible matches as its length cubed.
    return " ".join(visible.split())
