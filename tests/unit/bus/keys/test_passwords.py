"""Passwords of people: what may be one, what a hash carries, what fits it."""

from __future__ import annotations

import pytest

from bus.errors import KeyFileError
from bus.keys import COST, Cost, check_password, hash_password, is_outdated, is_password, nobodys_hash
from bus.keys.passwords import MAX_CHARACTERS, cost_of

CHEAP = Cost(memory_kib=64, passes=1, lanes=1)
SALT = bytes(range(16))
GOOD = "seven brown hats on a shelf"

WEAK = {
    "nothing": "",
    "fourteen characters": "abcdefghijklmn",
    "too long": "ab cd ef" * 40,
    "one letter": "a" * 30,
    "four letters": "abcd" * 10,
    "a line break": "seven brown hats\non a shelf",
    "a NUL": "seven brown hats\0on a shelf",
    "half a character": "seven brown hats \ud800 on a shelf",
    "the name": "Ann Example ann ann",
}


@pytest.mark.parametrize("password", WEAK.values(), ids=WEAK)
def test_what_is_easily_guessed_or_no_text_is_refused(password: str) -> None:
    """With one reason; what is asked for stands in the sentence."""
    with pytest.raises(KeyFileError) as refused:
        check_password(password, known=("ann", "Ann Example"))
    assert refused.value.reason == "weak-passphrase"


@pytest.mark.parametrize(
    "password", [GOOD, "a" * 10 + "bcdefghij", "пять смешных слов подряд", "x" + GOOD * 9]
)
def test_length_counts_and_no_kind_of_character_is_asked_for(password: str) -> None:
    """Neither digits nor signs, and any script."""
    check_password(password, known=("ann", ""))


def test_a_hash_carries_what_it_cost() -> None:
    """It says when it is to be made anew."""
    hashed = hash_password(GOOD, SALT, CHEAP)
    assert hashed.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert (cost_of(hashed), is_outdated(hashed, CHEAP), is_outdated(hashed)) == (CHEAP, False, True)


def test_the_usual_cost_is_that_of_rfc_9106() -> None:
    """Section 4, the second recommended option, which is above what OWASP asks for at the least."""
    assert Cost(memory_kib=65_536, passes=3, lanes=4) == COST
    hashed = hash_password(GOOD, SALT)
    assert is_password(GOOD, hashed)
    assert not is_outdated(hashed)


def test_a_password_fits_its_hash_alone() -> None:
    """Not another, and not one longer or shorter."""
    hashed = hash_password(GOOD, SALT, CHEAP)
    assert is_password(GOOD, hashed)
    assert not any(is_password(each, hashed) for each in ("", GOOD[:-1], GOOD + " ", GOOD.upper(), "x" * 300))


def test_the_same_letters_of_another_keyboard_are_the_same_password() -> None:
    """One letter with a mark, or the letter and the mark (NFKC)."""
    assert is_password(
        "cafe\u0301 under the old bridge", hash_password("caf\u00e9 under the old bridge", SALT, CHEAP)
    )


def test_the_longest_password_is_hashed() -> None:
    """In whole: one that differs at its end does not fit."""
    longest = "ab" * (MAX_CHARACTERS // 2)
    hashed = hash_password(longest, SALT, CHEAP)
    assert is_password(longest, hashed)
    assert not is_password(longest[:-1] + "x", hashed)


def test_nobodys_hash_costs_the_same_and_fits_nothing() -> None:
    """It is looked at like any other."""
    assert cost_of(nobodys_hash(CHEAP)) == CHEAP
    assert not is_password(GOOD, nobodys_hash(CHEAP))


DAMAGED = {
    "nothing": "",
    "another function": "$argon2i$v=19$m=64,t=1,p=1$" + "A" * 22 + "$" + "A" * 43,
    "another version": "$argon2id$v=16$m=64,t=1,p=1$" + "A" * 22 + "$" + "A" * 43,
    "four terabytes": "$argon2id$v=19$m=99999999,t=1,p=1$" + "A" * 22 + "$" + "A" * 43,
    "a thousand passes": "$argon2id$v=19$m=64,t=999,p=1$" + "A" * 22 + "$" + "A" * 43,
    "no lane": "$argon2id$v=19$m=64,t=1,p=0$" + "A" * 22 + "$" + "A" * 43,
    "less memory than its lanes need": "$argon2id$v=19$m=8,t=1,p=4$" + "A" * 22 + "$" + "A" * 43,
    "a short salt": "$argon2id$v=19$m=64,t=1,p=1$AAAA$" + "A" * 43,
    "a line after it": "$argon2id$v=19$m=64,t=1,p=1$" + "A" * 22 + "$" + "A" * 43 + "\n",
}


@pytest.mark.parametrize("hashed", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_hash_fits_nothing_and_costs_nothing(hashed: str) -> None:
    """It is made anew, where it can be."""
    assert cost_of(hashed) is None
    assert not is_password(GOOD, hashed)
    assert is_outdated(hashed)


def test_a_salt_has_its_length() -> None:
    """Anything else is a bug of who calls."""
    with pytest.raises(ValueError, match="16 bytes"):
        hash_password(GOOD, b"short", CHEAP)
