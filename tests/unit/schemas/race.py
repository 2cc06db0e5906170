"""A program for `test_codec`: many threads read, for the first time and at once, types that share their parts."""

from __future__ import annotations

import sys
import threading

from schemas import codec
from schemas.bulletin import Bulletin, Draft
from schemas.envelope import Header
from schemas.errors import SchemaError
from schemas.registry import Beacon, Registry

TYPES = (Bulletin, Draft, Header, Registry, Beacon, Header)

sys.setswitchinterval(1e-6)
together = threading.Barrier(len(TYPES))


def read(type_: type) -> None:
    """Read nonsense, again and again."""
    together.wait()
    for _ in range(100):
        try:
            codec.decode_as(type_, b'{"spec":"tocsin/1","issuer":{"id":"xa-csirt"}}')
        except SchemaError:
            continue


threads = [threading.Thread(target=read, args=(type_,)) for type_ in TYPES]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
