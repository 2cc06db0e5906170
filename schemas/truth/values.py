"""Values: an indicator has its type, matches neither nothing nor everything, and holds no secrets."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from schemas import personal
from schemas.bodies.coordination import StratCom
from schemas.bodies.digital import ContentNotice, ContentOrder
from schemas.bodies.electoral import ElectionCalendar, ElectionIncident
from schemas.bulletin import Bulletin
from schemas.errors import Broken
from schemas.parts import Observable
from schemas.truth.ranges import out_of_range
from schemas.truth.text import is_mixed
from schemas.truth.usual import EMPTY_FILE, HUBS, RESOLVERS, SUFFIXES, unusual
from schemas.truth.wording import odd_words
from schemas.vocab import PERSONAL_RANK, PersonalFlag

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LEAST_BITS = {4: 8, 6: 16}
_NO_DOMAIN = re.compile(r"[\s/\\:@\[\]()<>,;|\"']")
_NAMES = frozenset({"ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr"})
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_HASHES = frozenset({32, 40, 56, 64, 96, 128})
_HASH = re.compile(r"(?:(?:md5|sha-?1|sha-?224|sha-?256|sha-?384|sha-?512):)?([0-9A-Fa-f]+)")
_NO_DIGEST = re.compile(r"(?![0-9A-Fa-f]*$)(?:[0-9A-Za-z]{64}|[0-9A-Za-z]{96}|[0-9A-Za-z]{128})")
_SECRET = re.compile(r"[a-z][a-z0-9+.-]{0,20}://[^\s/?#@:]*:[^\s/?#@]+@", re.IGNORECASE)
_TOKEN = re.compile(
    r"[?&;](?:password|passwd|pwd|access_token|api_?key|client_secret|auth_token)=[^&\s]{3,}", re.IGNORECASE
)


_NUMERIC = re.compile(r"[0-9.]{7,15}(?:/[0-9]{1,3})?|(?=[^:]{0,4}:)[0-9A-Fa-f:.]{2,45}(?:/[0-9]{1,3})?")


def _is_wild(value: str) -> bool:
    return value.strip() in ("*", ".*", ".", "*.*", "%", "any", "all") or value.strip().startswith(
        ("*.", ".*", "*@", "@")
    )


def network_of(value: str) -> _Network | None:
    """The network that a value names; None if it is not an address or network."""
    if not _NUMERIC.fullmatch(value.strip()):
        return None
    try:
        return ipaddress.ip_network(value.strip(), strict=False)
    except ValueError:
        return None


def host_of(each: Observable) -> str | None:
    """The host in the clear value of an observable, in small letters; None if there is none."""
    if each.value is None:
        return None
    if each.type == "domain-name":
        return each.value.rstrip(".").lower()
    if each.type == "url":
        try:
            return (urlsplit(each.value).hostname or "").lower() or None
        except ValueError:
            return None
    return None


def _is_whole(url: str) -> bool:
    """Whether a URL names a whole host."""
    try:
        return urlsplit(url).path in ("", "/")
    except ValueError:
        return False


def r62(b: Bulletin) -> Broken:
    """A value has the form and range of its type (STIX 2.1, section 6; RFC 6793, RFC 1035, RFC 5321, RFC 6335, ITU-T E.164)."""
    for n, each in unusual(b):
        value = each.value
        if value is None:
            continue
        path = f"$.observables[{n}].value"
        if each.type in _NAMES and _UNSEEN.search(value):
            yield path, "has an invisible character; write it again"
        elif each.type in ("ipv4-addr", "ipv6-addr"):
            found = network_of(value)
            version = 4 if each.type == "ipv4-addr" else 6
            if found is None:
                yield path, f"is not of type {each.type}; write the address, or its network with /n"
            elif found.version != version:
                yield path, f"is an address of version {found.version}; correct its type"
        elif each.type == "domain-name" and _NO_DOMAIN.search(value):
            yield path, "is not a domain name; write the bare name, or correct its type"
        elif each.type == "url" and (
            (":" not in value and "/" not in value) or (each.actionable and "[.]" in value)
        ):
            yield path, "is not a URL; write it with scheme and path, or correct its type"
        elif each.type == "email-addr" and ("@" not in value or ('"' not in value and value.count("@") > 1)):
            yield path, "is not an e-mail address; correct its type"
        elif (
            each.type == "file"
            and (found_hash := _HASH.fullmatch(value))
            and each.actionable
            and len(found_hash[1]) not in _HASHES
            and len(found_hash[1]) >= 28
        ):
            yield path, f"a digest of {len(found_hash[1])} characters is incomplete; copy it whole"
        elif each.type == "file" and each.actionable and _NO_DIGEST.fullmatch(value):
            yield path, f"has the length of a digest, {len(value)}, but other characters; copy it again"
        elif fault := out_of_range(each.type, value):
            yield path, fault


_ALL = "matches everything; name the target, or drop actionable"


def r63(b: Bulletin) -> Broken:
    """An actionable value matches its target and not everything (RFC 6890; RFC 1035; MISP to_ids)."""
    for n, each in unusual(b):
        if each.actionable and (why := why_unfit(each)):
            yield f"$.observables[{n}].value", why


def why_unfit(each: Observable) -> str | None:
    """A sentence on why an observable is not fit for matching; None if it is fit, or has no clear value."""
    value = each.value
    if value is None:
        return None
    if _is_wild(value):
        return _ALL
    if each.type in ("ipv4-addr", "ipv6-addr"):
        found = network_of(value)
        everybodys = f"{value} is used by everybody; drop actionable" if value in RESOLVERS else None
        return everybodys if found is None else _unfit(found) or everybodys
    if each.type in ("domain-name", "url"):
        return _why_host(each, value)
    is_empty = each.type == "file" and value.lower().rpartition(":")[2] in EMPTY_FILE
    return "is the digest of an empty file; it matches everywhere" if is_empty else None


def _why_host(each: Observable, value: str) -> str | None:
    host = host_of(each) or ""
    whole = each.type == "domain-name" or _is_whole(value)
    found = network_of(host.strip("[]"))
    if found is not None:
        return _unfit(found)
    if host in ("localhost", "localhost.localdomain") or host.endswith(".localhost"):
        return "is the local machine; it is not fit for matching"
    if "*" in host and not any(part.strip("*") for part in host.split(".")[:-1]):
        return _ALL
    if whole and ("." not in host or host in SUFFIXES):
        return f"matches all names under {host}, of different owners; name the exact host"
    if whole and host in HUBS:
        return f"{host} is used by everybody; give the whole URL, or drop actionable"
    return None


def _unfit(found: _Network) -> str | None:
    if found.prefixlen < _LEAST_BITS[found.version]:
        return f"/{found.prefixlen} is a large part of the whole Internet; it is not fit for matching"
    if found.is_loopback:
        return "is the local machine; it is not fit for matching"
    if found.is_unspecified or found.network_address.is_unspecified:
        return "is not an address; it is not fit for matching"
    is_everybody = found.is_multicast or str(found) == "255.255.255.255/32"
    return "is the broadcast address of a network; it is not fit for matching" if is_everybody else None


def own_places(b: Bulletin) -> Iterator[tuple[str, str]]:
    """(path, text) of each text that may send people to a place."""
    for n, info in enumerate(b.info):
        if info.public_line:
            yield f"$.info[{n}].public_line", info.public_line
        if info.web:
            yield f"$.info[{n}].web", info.web
    body = b.body
    if isinstance(body, ElectionCalendar) and body.official_url:
        yield "$.body.official_url", body.official_url
    if isinstance(body, ElectionIncident) and body.correct_information:
        yield "$.body.correct_information", body.correct_information
    if isinstance(body, StratCom):
        for n, fact in enumerate(body.facts):
            yield f"$.body.facts[{n}]", fact


_WARN = re.compile(
    r"\b(?:not|never|avoid|false|fake|fraud\w*|scam|impersonat\w*|pretend\w*|do not|don[’']t|forged|imitat\w*|nicht|falsch\w*|faux|fausse|ne pas|"
    r"copy|copies|look-?alike|phishing|beware|gefälscht\w*|warn\w*|block\w*|closed|shut|taken down|gone|removed|instead of|clone\w*)\b",
    re.IGNORECASE,
)


def r64(b: Bulletin) -> Broken:
    """A genuine site is not blocked, and no other site is called genuine (MISP warning lists)."""
    places = [(path, text, text.lower()) for path, text in own_places(b)]
    false = {each.value.lower() for each in b.observables if each.value and each.role == "impersonating-site"}
    for n, each in enumerate(b.observables):
        if each.role != "impersonated" or each.value is None:
            continue
        if each.value.lower() in false:
            yield (
                f"$.observables[{n}].value",
                "is given as the genuine site and as its imitation; correct one of the two",
            )
        elif each.type in ("domain-name", "url") and is_mixed(each.value):
            yield (
                f"$.observables[{n}].value",
                "mixes letters of two scripts that look alike; a genuine name has one script",
            )
    for n, each in enumerate(b.observables):
        if each.role == "impersonated" and each.actionable:
            yield (
                f"$.observables[{n}].actionable",
                "an impersonated site is genuine and must not be blocked; drop actionable",
            )
            continue
        if each.role in ("impersonated", "victim", "publisher"):
            continue
        host = host_of(each)
        if host is None or "." not in host:
            continue
        whole = each.type == "domain-name" or (each.value or "").rstrip("/").lower().endswith(host)
        for path, text, small in places:
            if host not in small:
                continue
            if (each.actionable and whole) or each.role == "impersonating-site":
                for found in re.finditer(rf"(?<![\w.-]){re.escape(host)}(?![\w-])(?!\.[a-z])", small):
                    before = re.split(r"[.!?]\s", text[: found.start()])[-1]
                    after = re.split(r"[.!?](?:\s|$)", text[found.end() :])[0]
                    if not _WARN.search(before + " " + after):
                        yield (
                            path,
                            f"sends people to {host}, which the bulletin lists as hostile; correct one of the two",
                        )
                        break


def _urls(b: Bulletin) -> Iterator[tuple[str, str]]:
    for n, each in unusual(b):
        if each.value is not None and "://" in each.value:
            yield f"$.observables[{n}].value", each.value
    for n, kept in enumerate(b.evidence):
        if kept.uri:
            yield f"$.evidence[{n}].uri", kept.uri
    if isinstance(b.body, ContentNotice | ContentOrder):
        for n, item in enumerate(b.body.items):
            if item.url:
                yield f"$.body.items[{n}].url", item.url
    yield from _links(b)
    for path, text in odd_words(b):
        if "://" in text:
            yield path, text


def _links(b: Bulletin) -> Iterator[tuple[str, str]]:
    for path, text in own_places(b):
        if not path.endswith(("public_line", "correct_information")):
            yield path, text
    for name in ("advisory", "publication_url", "report_url"):
        if link := getattr(b.body, name, None):
            yield f"$.body.{name}", link


def r65(b: Bulletin) -> Broken:
    """A URL holds no credentials (RFC 3986, section 3.2.1: deprecated; RFC 9110, section 4.2.4)."""
    for path, text in _urls(b):
        if "@" in text and _SECRET.search(text):
            yield path, "holds a password; remove it, and have it changed"
        elif "=" in text and not path.startswith("$.observables") and _TOKEN.search(text):
            yield path, "holds a password or key; remove it, and have it changed"


def r66(b: Bulletin) -> Broken:
    """Certain personal data is declared as such (GDPR, Articles 4(1) and 87)."""
    for n, each in unusual(b):
        if each.value is None or each.personal is not PersonalFlag.NONE:
            continue
        if (
            each.type == "bank-account"
            or (each.type == "phone-number" and not personal.is_line_of_an_office(each.value))
            or (each.type == "email-addr" and personal.is_personal_mailbox(each.value))
            or (each.type in ("text", "user-account") and any(personal.certain(each.value)))
            or (each.type == "url" and any(personal.mailboxes(each.value)))
        ):
            yield (
                f"$.observables[{n}].personal",
                "identifies a person, but personal is none; set personal, or give value_hmac",
            )
    declared = b.personal_data is not None and (
        PERSONAL_RANK[b.personal_data.flag] >= PERSONAL_RANK[PersonalFlag.PERSONAL]
    )
    if declared:
        return
    for path, text in odd_words(b):
        if path.startswith("$.body.listed"):
            continue  # a listing names persons as the law prints them
        for found in personal.certain(text):
            yield path, f"holds {found.what}; leave it out, or declare personal_data and use TLP:AMBER+STRICT"
            break


RULES = ((62, r62), (63, r63), (64, r64), (65, r65), (66, r66))
