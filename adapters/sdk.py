"""All names that an author of an adapter imports.

    from adapters.sdk import AuthorityAdapter, Format, ReadContext, ReadResult

An adapter is a manifest (`<module>.manifest.toml` beside its module), formats, and samples. The run loop does the
rest: spool folders, retries, ids, signatures, the broker.
"""

from __future__ import annotations

import datetime as dt
import string
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from adapters.runloop import RunLoop
from adapters.sources import FolderSource, StdinSource
from adapters.translation.drafting import finished
from adapters.translation.reading import (
    Losses,
    clip,
    decode_text,
    read_csv,
    safe_xml,
    sha256_hex,
    slug,
    strict_json,
)
from bus import toml
from bus.plugin import (
    AdapterError,
    Format,
    FormatError,
    Loss,
    Manifest,
    Publishing,
    ReadContext,
    ReadResult,
    Sample,
    Source,
)
from schemas.bulletin import Draft

__all__ = [
    "AdapterError",
    "AuthorityAdapter",
    "Draft",
    "FolderSource",
    "Format",
    "FormatError",
    "Loss",
    "Losses",
    "Manifest",
    "ReadContext",
    "ReadResult",
    "RunLoop",
    "Sample",
    "StdinSource",
    "clip",
    "decode_text",
    "finished",
    "read_csv",
    "read_manifest",
    "safe_xml",
    "sha256_hex",
    "slug",
    "strict_json",
]


def read_manifest(module_file: str) -> Manifest:
    """The manifest beside a module: `x.py` has `x.manifest.toml`.

    Raises:
        AdapterError: `manifest`; the sentence names the fault.
    """
    path = Path(module_file).with_suffix(".manifest.toml")
    try:
        return msgspec.convert(toml.loads(path.read_bytes()), Manifest, strict=True)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as exc:
        raise AdapterError(f"{path.name}: {exc}", reason="manifest") from None


class AuthorityAdapter:
    """An adapter made of a manifest, formats and a folder of sample templates."""

    def __init__(self, module_file: str, formats: tuple[Format, ...]) -> None:
        """Read the manifest beside the module.

        Args:
            module_file: the module's `__file__`.
            formats: its formats.

        Raises:
            AdapterError: the manifest is malformed, or names other formats.
        """
        self.manifest = read_manifest(module_file)
        self.formats: Mapping[str, Format] = {each.id: each for each in formats}
        self._samples = Path(module_file).parent / "samples" / self.manifest.name
        if set(self.manifest.formats) != set(self.formats):
            raise AdapterError(
                f"{self.manifest.name}: the manifest names other formats than the module", reason="manifest"
            )

    def samples(self, country: str, now: dt.datetime, serial: int) -> Iterator[Sample]:
        """The templates of `samples/<name>/` beside the module, filled with country, serial, and dates around `now`.

        A template is the native format with `${CC}`, `${serial}` and the other names below; a dollar sign is `$$`.

        Raises:
            AdapterError: `sample`, a template uses an unknown name.
        """
        day = dt.timedelta(days=1)
        values = {
            "CC": country,
            "cc": country.lower(),
            "serial": str(serial),
            "hex": f"{serial:012x}",
            "now": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "epoch": str(int(now.timestamp())),
            "today": f"{now:%Y-%m-%d}",
            "yesterday": f"{now - day:%Y-%m-%d}",
            "earlier": f"{now - day / 4:%Y-%m-%dT%H:%M:%SZ}",
            "polling_day": f"{now + 30 * day:%Y-%m-%d}",
            "nomination_day": f"{now - 10 * day:%Y-%m-%d}",
            "nomination_before": f"{now - 20 * day:%Y-%m-%d}",
            "year": str((now + 30 * day).year),
            "this_year": str(now.year),
            "this_month": str(now.month),
            "octet": str(serial % 254 + 1),
            "sha": sha256_hex(f"{country} {serial}".encode()),
        }
        if not self._samples.is_dir():
            return
        for path in sorted(self._samples.iterdir()):
            if path.name.startswith(".") or not path.is_file():
                continue
            text = _filled(path, values)
            yield Sample(name=f"{path.stem}-{serial}{path.suffix}", data=text.encode())

    async def run(
        self,
        source: Source,
        publisher: Publishing,
        *,
        country: str,
        clock: Callable[[], dt.datetime],
        tz: str = "UTC",
    ) -> None:
        """Read a source and publish until the source ends; `tz` is the zone of times without one."""
        loop = RunLoop(self.manifest, self.formats, publisher, country=country, clock=clock, tz=tz)
        await loop.run(source)

    def folder(self, spool: Path) -> FolderSource:
        """A source over a spool folder."""
        return FolderSource(spool, poll_s=self.manifest.poll_interval_s)

    def standard_input(self) -> StdinSource:
        """A source with the one document on standard input."""
        return StdinSource()


def _filled(path: Path, values: Mapping[str, str]) -> str:
    try:
        return string.Template(path.read_text("utf-8")).substitute(values)
    except KeyError as exc:
        problem = f"there is no ${{{exc.args[0]}}}; there are: {', '.join(values)}"
    except ValueError as exc:
        problem = f"{exc}; a dollar sign is $$"
    raise AdapterError(f"{path}: {problem}", reason="sample")
