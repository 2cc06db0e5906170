"""Turns indicator values of many sources into observables of one vocabulary: type, canonical value, personal-data flag.

No value is looked up or resolved; only its spelling counts. If the spelling does not show whether a value belongs to
a natural person, it counts as personal.

Sources: STIX 2.1 section 6 (observable types); Regulation (EU) 2016/679, article 4(1) (online identifiers are personal data).
"""

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from schemas.vocab import PersonalFlag

__all__ = [
    "EMAIL",
    "HASH_TYPES",
    "Sighted",
    "classify",
    "holds_email",
    "personal_flag",
    "platform_named",
    "platform_of",
    "refang",
    "refanged",
    "sighted",
    "site_of",
]

MAX_VALUE_CHARS: Final = 2_048

# Digest lengths in hexadecimal characters; the note of an observable names any other kind of digest.
_HASH_CHARS: Final = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
HASH_TYPES: Final = frozenset(_HASH_CHARS.values())

_PSEUDONYMOUS: Final = frozenset({"ipv4-addr", "ipv6-addr", "mac-addr", "ad-id", "crypto-wallet"})
_PERSONAL: Final = frozenset(
    {"user-account", "email-addr", "email-message", "phone-number", "bank-account", "channel"}
)

_PLATFORMS: Final = {
    "facebook.com": "facebook",
    "fb.com": "facebook",
    "instagram.com": "instagram",
    "threads.net": "threads",
    "twitter.com": "x",
    "x.com": "x",
    "youtube.com": "youtube",
    "youtu.be": "youtube",
    "tiktok.com": "tiktok",
    "t.me": "telegram",
    "telegram.me": "telegram",
    "reddit.com": "reddit",
    "medium.com": "medium",
    "tumblr.com": "tumblr",
    "pinterest.com": "pinterest",
    "pin.it": "pinterest",
    "vk.com": "vk",
    "ok.ru": "ok",
    "linkedin.com": "linkedin",
    "bsky.app": "bluesky",
    "rumble.com": "rumble",
    "quora.com": "quora",
    "livejournal.com": "livejournal",
}
# Hosts below which each name has its own owner.
_HOSTERS: Final = (
    ".blogspot.com", ".carrd.co", ".ghost.io", ".github.io", ".substack.com", ".weebly.com", ".wixsite.com", ".wordpress.com",
)  # fmt: skip
# Names of a platform in sources -> its slug.
_CALLED: Final = {"fb": "facebook", "twitter": "x", "vkontakte": "vk", "odnoklassniki": "ok"}
# First path segments that lead to content or to a page of the platform, not to an account.
_NOT_AN_ACCOUNT: Final = frozenset(
    {
        "",
        "explore",
        "group",
        "groups",
        "hashtag",
        "p",
        "pin",
        "playlist",
        "r",
        "reel",
        "search",
        "tag",
        "tags",
        "topic",
        "watch",
    }
)

EMAIL: Final = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[\w-]{1,63}\.){1,8}[\w-]{2,63}")
_HOME: Final = re.compile(
    r"(?:[\\/]users|[\\/]home|[\\/]documents and settings)[\\/](?!public\b|%|\$)[^\\/]+", re.IGNORECASE
)
_DOMAIN: Final = re.compile(
    r"(?=.{4,253}$)(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+(?:[^\W\d_]{2,63}|xn--[a-z0-9-]{2,59})"
)
_UNDERSCORED: Final = re.compile(r"(?=.{4,253}$)(?:[\w-]{1,63}\.)+(?:[^\W\d_]{2,63}|xn--[a-z0-9-]{2,59})")
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]{1,20}://[^\s/?#][^\s]*", re.IGNORECASE)
_BARE_URL: Final = re.compile(r"([^\s/?#:]+)(?::\d{1,5})?[/?#]\S*")
_HASHTAG: Final = re.compile(r"#[^\W_][\w]{0,139}")
_MAC: Final = re.compile(r"[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}(?:(?:[:-][0-9a-f]{2}){2})?", re.IGNORECASE)
_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_HEX: Final = re.compile(r"[0-9a-fA-F]+")

_DEFANGED: Final = frozenset({"url", "domain-name", "ipv4-addr", "ipv6-addr", "email-addr"})
_REFANGS: Final = (
    (re.compile(r"\bh(?:xx|tt|XX|\*\*)p(s?)(?=\[?:)", re.IGNORECASE), r"http\1"),
    (re.compile(r"\[(?::)\]"), ":"),
    (re.compile(r"\[://\]"), "://"),
    (re.compile(r"\s?(?:\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\))\s?", re.IGNORECASE), "."),
    (re.compile(r"\[(?:@|at)\]|\(at\)", re.IGNORECASE), "@"),
    (re.compile(r"\[/\]"), "/"),
)


class Sighted(msgspec.Struct, frozen=True, kw_only=True):
    """One value for an observable: type, canonical spelling, flag, and platform if it shows one."""

    type: str
    value: str
    personal: PersonalFlag
    platform: str | None = None


def refang(text: str) -> str:
    """Reverses the usual defanging of indicators: ``hxxp``, ``[.]``, ``(dot)``, ``[:]``, ``[at]``."""
    for pattern, plain in _REFANGS:
        text = pattern.sub(plain, text)
    return text


def refanged(observable_type: str, text: str) -> str:
    """A value of a type, without its defanging where values of that type are defanged."""
    return refang(text) if observable_type in _DEFANGED else text


def holds_email(text: str) -> bool:
    """Whether the text contains an e-mail address."""
    return "@" in text and EMAIL.search(text) is not None


def platform_of(value: str) -> str | None:
    """The platform slug of a URL or host, or None."""
    split = _split(value)
    return _platform(split.hostname or "") if split else None


def platform_named(name: str) -> str | None:
    """The slug of a platform name in a source, such as ``Twitter``; None if it cannot be a slug."""
    word = name.strip().lower()
    word = _CALLED.get(word, word)
    return word if _SLUG.fullmatch(word) else None


def personal_flag(observable_type: str, value: str) -> PersonalFlag:
    """The personal-data flag of a value, by type and spelling; in doubt, personal."""
    if observable_type in _PERSONAL or holds_email(value) or _HOME.search(value):
        return PersonalFlag.PERSONAL
    if observable_type in _PSEUDONYMOUS:
        return PersonalFlag.PSEUDONYMOUS
    if observable_type == "url" and (split := _split(value)) is not None:
        if "@" in split.netloc or _names_account(split):
            return PersonalFlag.PERSONAL
        if _address(split.hostname or ""):
            return PersonalFlag.PSEUDONYMOUS
    return PersonalFlag.NONE


def classify(text: str) -> Sighted | None:
    """Classifies a whole cell of text; None for prose.

    Recognised: URL (with or without scheme), domain, IP address or network, e-mail address, MD5 to SHA-512, hashtag.
    """
    text = text.strip()
    if len(text) > 4 * MAX_VALUE_CHARS:  # the longest spelling of an allowed value
        return None
    value = refang(text)
    if not value or len(value) > MAX_VALUE_CHARS or any(c.isspace() for c in value):
        return None
    if _URL.fullmatch(value):
        return sighted("url", value)
    if found := _network(value):
        return found
    if EMAIL.fullmatch(value):
        return sighted("email-addr", value)
    if _is_digest(value):
        return sighted("file", value)
    if _DOMAIN.fullmatch(value.rstrip(".")):
        return sighted("domain-name", value)
    if (bare := _BARE_URL.fullmatch(value)) and (_DOMAIN.fullmatch(bare[1]) or _address(bare[1])):
        return sighted("url", value)
    if _HASHTAG.fullmatch(value):
        return sighted("hashtag", value)
    return None


def site_of(name: str) -> Sighted | None:
    """The domain that a channel's name consists of, or None: a domain belongs to an outlet, not to an account.

    A name below a platform, such as that of a blog, is an account there.
    """
    found = classify(name)
    if found is not None and found.type == "url" and (split := _split(found.value)) is not None:
        bare = not (split.path.strip("/") or split.query or split.fragment or "@" in split.netloc)
        found = classify(split.hostname or "") if bare else None
    if found is None or found.type != "domain-name":
        return None
    host = found.value.removeprefix("www.")
    is_within = _platform(host) is not None or host.endswith(_HOSTERS)
    return None if is_within else found


def sighted(observable_type: str, text: str) -> Sighted | None:
    """Converts one value of a known type into its canonical spelling.

    Args:
        observable_type: A slug of the open vocabulary `observable-type`.
        text: The value of the source, already refanged.

    Returns:
        The value; None if it is empty, too long, or not in the form of its type.
    """
    value = text.strip()
    if not value or len(value) > MAX_VALUE_CHARS:
        return None
    if reader := _READERS.get(observable_type):
        return reader(value)
    if observable_type == "file" and _is_digest(value):
        value = value.lower()
    return _sighted(observable_type, value)


def _sighted(observable_type: str, value: str) -> Sighted:
    return Sighted(
        type=observable_type,
        value=value,
        personal=personal_flag(observable_type, value),
        platform=platform_of(value) if observable_type in ("url", "channel") else None,
    )


def _is_digest(value: str) -> bool:
    return _HEX.fullmatch(value) is not None and len(value) in _HASH_CHARS


def _domain(value: str) -> Sighted | None:
    name = value.rstrip(".").lower()
    if found := _network(name):
        return found
    if _DOMAIN.fullmatch(name) or _UNDERSCORED.fullmatch(name):
        return _sighted("domain-name", _ascii(name))
    return None


def _url(value: str) -> Sighted | None:
    if any(c.isspace() for c in value):
        return None
    if _URL.fullmatch(value):
        return _sighted("url", value) if _split(value) else None
    if (bare := _BARE_URL.fullmatch(value)) and (_DOMAIN.fullmatch(bare[1].lower()) or _address(bare[1])):
        return _sighted("url", value)
    # A bare host under a URL label is common in exported events.
    return _domain(value)


def _ascii(name: str) -> str:
    """The A-label form, if the standard library makes one that is equivalent to this name; else the name unchanged.

    Its IDNA 2003 replaces some letters (`ß` by `ss`), which gives a name that another owner may have.
    """
    if name.isascii():
        return name
    try:
        encoded = name.encode("idna")
        return (
            encoded.decode("ascii").lower()
            if encoded.decode("idna") == unicodedata.normalize("NFC", name)
            else name
        )
    except UnicodeError:
        return name


def _address(value: str) -> tuple[str, str] | None:
    """(type, canonical spelling) of an address or a network; None for other text."""
    plain = value.strip("[]")
    try:
        network = ipaddress.ip_network(plain, strict=False)
    except ValueError:
        return None
    kind = "ipv4-addr" if network.version == 4 else "ipv6-addr"
    return kind, str(network if "/" in plain else ipaddress.ip_address(plain))


def _split(value: str) -> SplitResult | None:
    if (
        len(value) > MAX_VALUE_CHARS
    ):  # normalising a host of combining marks takes time of the square of its length
        return None
    try:
        split = urlsplit(value if "://" in value else f"//{value}")
        split.hostname  # noqa: B018 (raises on a broken IPv6 literal)
    except ValueError:
        return None
    return split


def _platform(host: str) -> str | None:
    labels = host.lower().rstrip(".").split(".")
    for length in (2, 3):
        if slug := _PLATFORMS.get(".".join(labels[-length:])):
            return slug
    return None


def _names_account(split: SplitResult) -> bool:
    if _platform(split.hostname or "") is None:
        return False
    first = split.path.strip("/").split("/", 1)[0].lower()
    return first.startswith("@") or first not in _NOT_AN_ACCOUNT


def _network(value: str) -> Sighted | None:
    found = _address(value)
    return _sighted(*found) if found else None


def _email(value: str) -> Sighted | None:
    if not EMAIL.fullmatch(value):
        return None
    local, _, host = value.rpartition("@")
    return _sighted("email-addr", f"{local}@{host.lower()}")


def _mac(value: str) -> Sighted | None:
    return _sighted("mac-addr", value.lower().replace("-", ":")) if _MAC.fullmatch(value) else None


def _hashtag(value: str) -> Sighted | None:
    return _sighted("hashtag", value) if _HASHTAG.fullmatch(value) else None


_READERS: Final[Mapping[str, Callable[[str], Sighted | None]]] = {
    "domain-name": _domain,
    "email-addr": _email,
    "hashtag": _hashtag,
    "ipv4-addr": _network,
    "ipv6-addr": _network,
    "mac-addr": _mac,
    "url": _url,
}
