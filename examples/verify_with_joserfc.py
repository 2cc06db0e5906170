"""Verifies a bulletin with somebody else's JOSE library: python verify_with_joserfc.py BULLETIN.tocsin.json KEY.jwk.json.

KEY is one key (tocsin key export) or a set (tocsin registry export --jwks).
"""

import json
import sys
from pathlib import Path

from joserfc import jwk, jws

bulletin, key = (json.loads(Path(name).read_bytes()) for name in sys.argv[1:3])
known = jwk.KeySet.import_key_set(key) if "keys" in key else jwk.import_key(key)
found = jws.deserialize_json(bulletin, known, algorithms=["Ed25519"])
sys.stdout.write(json.loads(found.payload)["info"][0]["headline"] + "\n")
