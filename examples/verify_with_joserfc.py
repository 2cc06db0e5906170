"""Verifies a bulletin with somebody else's JOSE library: python verify_with_joserfc.py BULLETIN.tocsin.json KEY.jwk.json."""

import json
import sys
from pathlib import Path

from joserfc import jwk, jws

bulletin, key = (json.loads(Path(name).read_bytes()) for name in sys.argv[1:3])
found = jws.deserialize_json(bulletin, jwk.import_key(key), algorithms=["Ed25519"])
sys.stdout.write(json.loads(found.payload)["info"][0]["headline"] + "\n")
