"""Sorts MISP attributes by type: values to match, detection rules, text, or content that must be left out.

Source: the attribute types and categories of the MISP core format (draft-dulaunoy-misp-core-format, section 2.4).
"""

from typing import Final

import msgspec

from adapters.translation.reading import OTHER
from schemas.observables import HASH_TYPES, Sighted, refanged, sighted

__all__ = ["DETECTION_TYPES", "TEXT_TYPES", "NotCarried", "Value", "read_attribute", "type_told"]

MAX_PARTS: Final = 4

# Attribute type -> (observable type, role). A digest or fingerprint of an unusual kind names its kind in the note.
_VALUES: Final = {
    "ip-src": ("ipv4-addr", "source"),
    "ip-dst": ("ipv4-addr", "infrastructure"),
    "ip": ("ipv4-addr", "infrastructure"),
    "domain": ("domain-name", "infrastructure"),
    "hostname": ("domain-name", "infrastructure"),
    "onion-address": ("domain-name", "infrastructure"),
    "url": ("url", "infrastructure"),
    "uri": ("url", "infrastructure"),
    "email": ("email-addr", "source"),
    "email-src": ("email-addr", "source"),
    "email-reply-to": ("email-addr", "source"),
    "dns-soa-email": ("email-addr", "infrastructure"),
    "whois-registrant-email": ("email-addr", "infrastructure"),
    "whois-registrant-phone": ("phone-number", "infrastructure"),
    "phone-number": ("phone-number", "source"),
    "jabber-id": ("user-account", "source"),
    "eppn": ("user-account", "source"),
    "github-username": ("user-account", "source"),
    "github-organisation": ("user-account", "source"),
    "twitter-id": ("user-account", "publisher"),
    "email-subject": ("email-message", "content"),
    "email-attachment": ("file", "content"),
    "filename": ("file", "infrastructure"),
    "pdb": ("file", "infrastructure"),
    "mutex": ("mutex", "infrastructure"),
    "named pipe": ("mutex", "infrastructure"),
    "regkey": ("windows-registry-key", "infrastructure"),
    "AS": ("autonomous-system", "infrastructure"),
    "mac-address": ("mac-addr", "source"),
    "mac-eui-64": ("mac-addr", "source"),
    "btc": ("crypto-wallet", "payment"),
    "dash": ("crypto-wallet", "payment"),
    "xmr": ("crypto-wallet", "payment"),
    "iban": ("bank-account", "payment"),
    "bank-account-nr": ("bank-account", "payment"),
    "mobile-application-id": ("software", "infrastructure"),
    "azure-application-id": ("software", "infrastructure"),
    "chrome-extension-id": ("software", "infrastructure"),
    "edge-extension-id": ("software", "infrastructure"),
    "cpe": ("software", "infrastructure"),
    "github-repository": ("software", "infrastructure"),
    "windows-service-name": ("process", "infrastructure"),
    "windows-service-displayname": ("process", "infrastructure"),
    "windows-scheduled-task": ("process", "infrastructure"),
    "x509-fingerprint-md5": ("x509-certificate", "infrastructure"),
    "x509-fingerprint-sha1": ("x509-certificate", "infrastructure"),
    "x509-fingerprint-sha256": ("x509-certificate", "infrastructure"),
    "user-agent": ("network-traffic", "infrastructure"),
    "ja3-fingerprint-md5": ("network-traffic", "infrastructure"),
    "jarm-fingerprint": ("network-traffic", "infrastructure"),
    "hassh-md5": ("network-traffic", "infrastructure"),
    "hasshserver-md5": ("network-traffic", "infrastructure"),
    "favicon-mmh3": ("network-traffic", "infrastructure"),
    "ssh-fingerprint": ("network-traffic", "infrastructure"),
    "community-id": ("network-traffic", "infrastructure"),
}
_OTHER_DIGESTS: Final = frozenset(
    {
        "authentihash", "cdhash", "dom-hash", "git-commit-id", "impfuzzy", "imphash", "pehash", "sha3-224", "sha3-256",
        "sha3-384", "sha3-512", "sha512/224", "sha512/256", "ssdeep", "telfhash", "tlsh", "vhash",
    }
)  # fmt: skip
_PLATFORMS: Final = {"github-username": "github", "github-organisation": "github", "twitter-id": "x"}
_SELF_EVIDENT: Final = HASH_TYPES | frozenset(
    {"AS", "domain", "filename", "hostname", "ip", "ip-dst", "ip-src", "mutex", "regkey", "uri", "url"}
)

# Attribute type of a rule -> its prefix in a bulletin.
DETECTION_TYPES: Final = {
    "yara": "yara",
    "sigma": "sigma",
    "snort": "snort",
    "suricata": "suricata",
    "zeek": "zeek",
    "bro": "zeek",
    "stix2-pattern": "stix",
    "kusto-query": "kusto",
    "gene": "gene",
    "pattern-in-file": "pattern-in-file",
    "pattern-in-memory": "pattern-in-memory",
    "pattern-in-traffic": "pattern-in-traffic",
    "filename-pattern": "filename-pattern",
}
TEXT_TYPES: Final = frozenset({"text", "comment", "other", "email-body"})

_WHY_NOT: Final = {
    "attachment": "files are not carried",
    "email-dst": "the recipient of an attack is a victim: personal data not needed to defend",
    "email-dst-display-name": "the recipient of an attack is a victim: personal data not needed to defend",
    "email-src-display-name": "names of natural persons are not carried",
    "whois-registrant-name": "names of natural persons are not carried",
    "cc-number": "payment cards are not carried",
    "pgp-private-key": "secret keys are not carried",
    "cookie": "session secrets are not carried",
}
_NO_PLACE: Final = "a type without a field in a bulletin"
_BESIDE: Final = frozenset({"port", "value"})
_PERSON_CATEGORY: Final = "Person"
_VICTIM_TYPES: Final = "target-"


_KNOWN: Final = frozenset(
    {
        *_VALUES, *_OTHER_DIGESTS, *HASH_TYPES, *DETECTION_TYPES, *TEXT_TYPES, *_WHY_NOT, *_BESIDE, "anonymised", "boolean",
        "campaign-id", "campaign-name", "counter", "cpe", "date-of-birth", "datetime", "email-body", "email-header",
        "email-message-id", "email-mime-boundary", "email-thread-index", "email-x-mailer", "first-name", "float", "full-name",
        "gender", "hex", "http-method", "identity-card-number", "integer", "last-name", "link", "malware-sample", "malware-type",
        "middle-name", "nationality", "passport-country", "passport-expiration", "passport-number", "phone-number",
        "place-of-birth", "place-of-residence", "size-in-bytes", "target-email", "target-external", "target-location",
        "target-machine", "target-org", "target-user", "threat-actor", "vulnerability", "weakness", "whois-creation-date",
        "whois-registrant-org", "whois-registrar",
    }
)  # fmt: skip


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """One value to match, from an attribute."""

    found: Sighted
    role: str
    platform: str | None = None
    note: str | None = None


class NotCarried(msgspec.Struct, frozen=True):
    """The reason why an attribute gives no value to match."""

    why: str


def read_attribute(kind: str, category: str, value: str) -> tuple[Value, ...] | NotCarried:
    """Reads the value of one attribute; a composite type (``filename|md5``) gives one value for each part.

    Args:
        kind: The MISP attribute type.
        category: The MISP category.
        value: The value as text.

    Returns:
        At least one value, or the reason for none.
    """
    if kind.startswith(_VICTIM_TYPES) or category == "Targeting data":
        return NotCarried("victims are not named")
    if category == _PERSON_CATEGORY:
        return NotCarried("personal data of a natural person is not carried")
    if why := _WHY_NOT.get(kind):
        return NotCarried(why)
    kinds = ("filename", "md5") if kind == "malware-sample" else tuple(kind.split("|", MAX_PARTS))
    parts = _parts(kinds, value)
    if parts is None:
        return NotCarried("a composite value without its parts")
    values: list[Value] = []
    beside = [f"{each} {part.strip()}" for each, part in zip(kinds, parts, strict=True) if each in _BESIDE]
    for each, part in zip(kinds, parts, strict=True):
        if each in _BESIDE:
            continue
        read = _one(each, part, beside)
        if isinstance(read, NotCarried):
            return read
        values.append(read)
    return tuple(values) if values else NotCarried(_NO_PLACE)


def type_told(kind: str) -> str:
    """A type in the form for losses: a known MISP type, the known parts of a composite one, or `(other)`."""
    return kind if len(kind) <= 80 and all(each in _KNOWN for each in kind.split("|")) else OTHER


def _one(kind: str, text: str, beside: list[str]) -> Value | NotCarried:
    if kind in HASH_TYPES or kind in _OTHER_DIGESTS:
        observable_type, role = "file", "infrastructure"
    elif known := _VALUES.get(kind):
        observable_type, role = known
    else:
        return NotCarried(_NO_PLACE)
    plain = refanged(observable_type, text)
    if observable_type == "autonomous-system" and plain.strip().isdigit():
        plain = f"AS{plain.strip()}"
    found = sighted(observable_type, plain)
    if found is None:
        return NotCarried("a value that does not have the form of its type")
    note = beside[0] if beside else None if kind in _SELF_EVIDENT else kind
    return Value(found=found, role=role, platform=_PLATFORMS.get(kind), note=note)


def _parts(kinds: tuple[str, ...], value: str) -> tuple[str, ...] | None:
    if len(kinds) == 1:
        return (value,)
    parts = value.split("|", len(kinds) - 1)
    if len(parts) < len(kinds) and kinds[-1] == "port":
        parts = value.rsplit(":", 1)
    return tuple(parts) if len(parts) == len(kinds) else None
