"""Verifies a bulletin with another JOSE library.

python verify_with_joserfc.py BULLETIN.tocsin.json KEY.jwk.json DOMAIN

KEY is one key (tocsin key export) or a set (tocsin registry export --jwks). DOMAIN is the federation, as named in its
registry. A bulletin is signed alone or in a batch. In a batch the signature covers the root of a tree, and `header`
has the path to it.
"""

import json
import sys
from base64 import urlsafe_b64decode
from hashlib import sha256
from pathlib import Path

from joserfc import jwk, jws


def raw(text: str) -> bytes:
    """Decode base64url."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def root(payload: bytes, index: int, size: int, path: bytes) -> bytes:
    """The root at the end of a path (RFC 9162, section 2.1.3.2)."""
    found, last = sha256(b"\0" + sha256(payload).digest()).digest(), size - 1
    for at in range(0, len(path), 32):
        step = path[at : at + 32]
        if index % 2 or index == last:
            found = sha256(b"\1" + step + found).digest()
            while index and not index % 2:
                index, last = index // 2, last // 2
        else:
            found = sha256(b"\1" + found + step).digest()
        index, last = index // 2, last // 2
    return found if last == 0 else b""


bulletin, key = (json.loads(Path(name).read_bytes()) for name in sys.argv[1:3])
domain = sys.argv[3]
known = jwk.KeySet.import_key_set(key) if "keys" in key else jwk.import_key(key)
policy = jws.JWSRegistry(algorithms=["Ed25519"], strict_check_header=False)  # `domain` is tocsin's own

payload = raw(bulletin["payload"])
for each in bulletin["signatures"]:
    typ, signed, place = "vnd.tocsin.bulletin", bulletin["payload"], each.get("header")
    if place is not None:
        typ, signed, head = "vnd.tocsin.batch", place["batch"], raw(place["batch"])
        size = int.from_bytes(head[:2], "big")
        if (
            not 0 <= place["index"] < size
            or root(payload, place["index"], size, raw(place["path"])) != head[2:]
        ):
            sys.exit("the path does not lead to the root that was signed")
    found = jws.deserialize_compact(
        f"{each['protected']}.{signed}.{each['signature']}".encode(), known, registry=policy
    )
    header = found.headers()
    if (header["typ"], header["domain"]) != (typ, domain):
        sys.exit(f"signed as {header['typ']} in {header['domain']}, not as a bulletin of {domain}")
if not bulletin["signatures"]:
    sys.exit("nobody has signed it")
sys.stdout.write(json.loads(payload)["info"][0]["headline"] + "\n")
