"""Passwords of people: hashed with Argon2id (RFC 9106), each hash with the parameters it was made with.

A hash is a PHC string, as the reference implementation writes it. The parameters are the second recommended option of RFC 9106,
section 4: 64 MiB, three passes, four lanes. OWASP's Password Storage Cheat Sheet asks for 19 MiB, two passes and one lane at least.
Lengths are those of NIST SP 800-63B-4, section 3.1.1, for a password that stands alone: 15 characters or more, and 64 at the least
are taken. A password is normalized (NFKC) as that section says, so that another keyboard writes the same one.
"""

from __future__ import annotations

import re
import unicodedata

import msgspec
from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from bus.errors import KeyFileError

MIN_CHARACTERS, MAX_CHARACTERS = 15, 256
MIN_DIFFERENT = 5
SALT_BYTES, HASH_BYTES = 16, 32
MAX_MEMORY_KIB, MAX_PASSES, MAX_LANES = 1024 * 1024, 16, 16
"""What a hash may ask of this machine: a damaged file must not ask for more."""


class Cost(msgspec.Struct, frozen=True, order=True):
    """What hashing costs: KiB of memory, passes over it, lanes."""

    memory_kib: int = 64 * 1024
    passes: int = 3
    lanes: int = 4


COST = Cost()
_PHC = re.compile(
    r"\$argon2id\$v=19\$m=(\d{1,8}),t=(\d{1,3}),p=(\d{1,3})\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}"
)


def normalized(password: str) -> str:
    """The password as it is hashed.

    Raises:
        KeyFileError: `weak-passphrase`, it is too long, or has characters that cannot be typed.
    """
    if len(password) > MAX_CHARACTERS:
        raise KeyFileError(f"a password has at most {MAX_CHARACTERS} characters", reason="weak-passphrase")
    text = unicodedata.normalize("NFKC", password)
    if any(unicodedata.category(each) in ("Cc", "Cs") for each in text):
        raise KeyFileError("a password has no control characters", reason="weak-passphrase")
    return text


def check_password(password: str, *, known: tuple[str, ...] = ()) -> None:
    """Refuse a new password that is easily guessed.

    Args:
        password: what a person has chosen.
        known: what others know of that person: id, name.

    Raises:
        KeyFileError: `weak-passphrase`, with what is asked for.
    """
    text = normalized(password)
    if len(text) < MIN_CHARACTERS:
        raise KeyFileError(
            f"a password has at least {MIN_CHARACTERS} characters; four or five words do",
            reason="weak-passphrase",
        )
    if len(set(text.casefold())) < MIN_DIFFERENT:
        raise KeyFileError(
            f"a password has at least {MIN_DIFFERENT} different characters", reason="weak-passphrase"
        )
    left = text.casefold()
    for word in sorted({word for each in known for word in each.casefold().split()}, key=len, reverse=True):
        left = left.replace(word, "")
    left = left.replace(" ", "")
    if len(left) < MIN_CHARACTERS // 2:
        raise KeyFileError(
            "the password is hardly more than this person's name; choose words that nobody connects with it",
            reason="weak-passphrase",
        )


def hash_password(password: str, salt: bytes, cost: Cost = COST) -> str:
    """A PHC string of 97 characters or so.

    Args:
        password: as it was typed.
        salt: 16 random bytes.
        cost: how much memory and time a guess takes.

    Raises:
        KeyFileError: `weak-passphrase`, see `normalized`.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes")
    argon = Argon2id(
        salt=salt, length=HASH_BYTES, iterations=cost.passes, lanes=cost.lanes, memory_cost=cost.memory_kib
    )
    return argon.derive_phc_encoded(normalized(password).encode())


def nobodys_hash(cost: Cost = COST) -> str:
    """A hash that no password has, at the same cost: an unknown person is refused in the same time."""
    return f"$argon2id$v=19$m={cost.memory_kib},t={cost.passes},p={cost.lanes}${'A' * 22}${'A' * 43}"


def is_password(password: str, hashed: str) -> bool:
    """Whether a password has this hash. Costs what the hash says, also when it is wrong; a damaged hash fits none."""
    if cost_of(hashed) is None:
        return False
    try:
        Argon2id.verify_phc_encoded(normalized(password).encode(), hashed)
    except (InvalidKey, KeyFileError, ValueError):
        return False
    return True


def is_outdated(hashed: str, cost: Cost = COST) -> bool:
    """Whether a hash is to be made anew at the next sign-in, as its parameters are not those of now."""
    return cost_of(hashed) != cost


def cost_of(hashed: str) -> Cost | None:
    """The parameters that a hash carries; None where it is none, or asks for more than any that is made here."""
    found = _PHC.fullmatch(hashed)
    if found is None:
        return None
    memory, passes, lanes = map(int, found.groups())
    sound = 1 <= lanes <= MAX_LANES and 1 <= passes <= MAX_PASSES and 8 * lanes <= memory <= MAX_MEMORY_KIB
    return Cost(memory, passes, lanes) if sound else None
