"""The bus moves bulletins. On import it checks that `schemas` and `adapters` are the packages of this release."""

import importlib.util as _importlib_util
from pathlib import Path as _Path
from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.api import connect
else:
    __getattr__ = opened(__name__, __file__)

__all__ = ["connect"]


def _refuse_strangers() -> None:
    """Raise an error that names a foreign package in place of ours; `schemas` and `adapters` are common names."""
    home = _Path(__file__).resolve().parent.parent
    for name, marker in (("schemas", "bulletin.py"), ("adapters", "sdk.py")):
        spec = _importlib_util.find_spec(name)
        places = list(spec.submodule_search_locations or ()) if spec else []
        if places and not any((_Path(place) / marker).is_file() for place in places):
            raise ImportError(
                f"the package {name!r} at {places[0]} is not tocsin's (expected {home / name}); "
                "give tocsin an environment of its own, or rename that package"
            )


_refuse_strangers()
