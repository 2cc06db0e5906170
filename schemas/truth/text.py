"""Text: people see the same text that machines read, and it has content."""

from __future__ import annotations

import re

from schemas.bulletin import Bulletin
from schemas.errors import Broken
from schemas.truth.wording import odd_words
from schemas.vocab import Status

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff\ufff9-\ufffb]")
_TURNING = re.compile("[\u202a-\u202e]")  # LRE, RLE, PDF, LRO, RLO
_ISOLATES = re.compile("[\u2066-\u2069]")
_UNSEEN = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
)
_NOTHING = re.compile(rf"[\s{_UNSEEN}\u2800]*")
_SAYING = re.compile(r"[^\W_]")
_LATIN = "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff"
_GREEK, _CYRILLIC = "\u0370-\u0373\u0376-\u03ff\u1f00-\u1fff", "\u0400-\u052f\u1c80-\u1c8f"
_HIDDEN_IN_WORD = re.compile(
    rf"(?<=[{_LATIN}{_GREEK}{_CYRILLIC}])[\u00ad\u115f\u1160\u180e\u200b-\u200d\u2060-\u2064\u3164\ufeff\uffa0]+(?=[{_LATIN}{_GREEK}{_CYRILLIC}])"
)
_SOFT = re.compile("\u00ad")
_WORD = re.compile(rf"[{_LATIN}{_GREEK}{_CYRILLIC}\u0300-\u036f0-9.]{{3,}}")
_SCRIPTS = tuple(re.compile(f"[{ranges}]") for ranges in (_LATIN, _GREEK, _CYRILLIC))
_ALIKE = re.compile("[ΑΒΕΖΗΙΚΜΝΟΡΤΥΧανικορτυχγηϲϳАВЕЅІЈКМНОРСТУХЬҮҺԀԌԚԜЗаеѕіјкорсухгпԁһӏԛԝмтнвьбѵёїэзч]")
"""Greek and Cyrillic letters that look like Latin ones (Unicode TR 39, confusables)."""
_ENDING = re.compile(r"[A-Z]{2,}[а-яёіїєґў]{1,6}|[A-Z]{2,}[α-ωά-ώ]{1,6}")
"""A Latin abbreviation with an ending of the surrounding language: SMSите."""
_BEYOND_LATIN = re.compile(f"[{_GREEK}{_CYRILLIC}]")
_TAGS = re.compile("(?<!\U0001f3f4)(?<![\U000e0020-\U000e007e])[\U000e0000-\U000e007f]")
_MARKS = r"(?:EXERCISE|DRILL|ÜBUNG|EXERCICE|EJERCICIO|ESERCITAZIONE|ĆWICZENIE|OEFENING)"
_EXERCISE = re.compile(
    rf"\b{_MARKS}(?:[\s,.!*–-]{{1,8}}(?:{_MARKS}|ONLY|UNIQUEMENT|NUR)\b)+"
    rf"|^\s{{0,8}}{_MARKS}\s{{0,3}}[:–—|/-]"
    rf"|[\[(]\s{{0,3}}{_MARKS}[^\])]{{0,40}}[\])]"
    r"|\b(?i:this is (?:only |just )?(?:an? )?exercise|(?:inject|part) \d+ of (?:the )?exercise|exercise inject|das ist (?:nur )?eine Übung"
    r"|ceci est un exercice|exercise,? exercise,? exercise)\b"
)
"""A marking as an exercise; the word inside a sentence is not a marking."""


_ASCII_MARKS = ("exerci", "drill", "ejercicio", "esercitazione", "oefening")


def _may_be_marked(text: str) -> bool:
    """Whether a search for `_EXERCISE` is needed; it costs far more than a search for single words."""
    if not text.isascii():
        return True
    small = text.lower()
    return any(mark in small for mark in _ASCII_MARKS)


def r58(b: Bulletin) -> Broken:
    """No text reverses its direction, hides characters, or controls a terminal (Unicode UAX 9 and TR 36, sections 2 and 3; ISO 6429)."""
    for path, text in odd_words(b):
        if _CONTROL.search(text):
            yield path, "holds a control character; write plain text"
        if text.isascii():
            continue  # characters that reverse or hide text have higher code points
        if _TURNING.search(text):
            yield (
                path,
                "changes the direction of writing (U+202A to U+202E); use isolates (U+2066 to U+2069), or nothing",
            )
        elif not _is_balanced(text):
            yield path, "an isolate of direction (U+2066 to U+2068) is not closed by U+2069 on its line"
        if _TAGS.search(text):
            yield path, "holds invisible tag characters; write plain text"
        if any(_SOFT.search(hidden[0]) is None for hidden in _HIDDEN_IN_WORD.finditer(text)):
            yield path, "a word has an invisible character; write it again"


def _is_balanced(text: str) -> bool:
    for line in text.splitlines():
        depth = 0
        for mark in _ISOLATES.findall(line):
            depth += -1 if mark == "\u2069" else 1
            if depth < 0:
                return False
        if depth:
            return False
    return True


def is_mixed(word: str) -> bool:
    """Whether a word mixes two of the scripts Latin, Greek and Cyrillic, with a letter that looks like one of the other.

    `μTorrent` does not count: its first letter does not look like a Latin one.
    """
    return any(
        sum(script.search(part) is not None for script in _SCRIPTS) > 1
        and _ALIKE.search(part) is not None
        and _ENDING.fullmatch(part) is None
        for part in re.findall(rf"[{_LATIN}{_GREEK}{_CYRILLIC}\u0300-\u036f]{{3,}}", word)
    )


def r59(b: Bulletin) -> Broken:
    """A word has letters of one script (Unicode TR 39, section 5). A quoted look-alike must also be an observable."""
    told: str | None = None
    for path, text in odd_words(b):
        if text.isascii() or not _BEYOND_LATIN.search(text):
            continue
        for word in _WORD.findall(text):
            if not is_mixed(word):
                continue
            if told is None:
                told = " ".join(
                    each.value for each in b.observables if each.value and each.role != "impersonated"
                )
            name = path.rsplit(".", 1)[-1]
            if word.strip(".") in told and name not in ("public_line", "correct_information"):
                continue
            yield (
                path,
                f"{word} mixes letters of two scripts that look alike; write it in one, or list it as an observable",
            )
            break


_ASKED = frozenset(
    {
        "$.body.reasons",
        "$.body.redress",
        "$.body.explanation",
        "$.body.question",
        "$.body.correct_information",
    }
)
"""Fields that the law or the readers need."""


def r60(b: Bulletin) -> Broken:
    """The texts of `info`, and lines for use, are not blank."""
    for path, text in odd_words(b):
        if not path.startswith(("$.info[", "$.body.lines[")) and path not in _ASKED:
            continue
        if _NOTHING.fullmatch(text):
            yield path, "is blank; write it, or leave the field out"
        elif not _SAYING.search(text):
            yield path, "has neither letter nor digit; write it, or leave the field out"


def r61(b: Bulletin) -> Broken:
    """An exercise has status exercise, and other bulletins carry no mark of an exercise (CAP 1.2 status)."""
    if b.status is not Status.ACTUAL:
        return
    if b.exercise_id is not None:
        yield "$.status", "has an exercise_id, but status actual; set status exercise, or drop the id"
    for path, text in odd_words(b):
        if _may_be_marked(text) and _EXERCISE.search(text):
            yield (
                path,
                "is marked as an exercise, but has status actual; set status exercise and an exercise_id",
            )
            return


RULES = ((58, r58), (59, r59), (60, r60), (61, r61))
