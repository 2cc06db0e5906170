"""Values of `notify.toml`, each within its shape; what does not fit is noted with its place. Used by `bus.notify.settings`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bus import drafts, keys
from bus.errors import KeyFileError
from bus.notify.addresses import SendError
from bus.notify.ways import webhook_key

MOST_ADDRESS = 500
MISSING = object()


class Values:
    """Reads the values of one file, and notes what is wrong.

    Attributes:
        source: the file.
        folder: to which files that it names are relative.
        findings: what is wrong.
    """

    def __init__(self, raw: bytes, folder: Path) -> None:
        self.source = drafts.Source(raw)
        self.folder = folder
        self.findings: list[drafts.Finding] = []
        for slip in self.source.slips:
            line, column, width = (None, None, 1)
            if slip.at is not None:
                line, column, width = drafts.at(self.source, *slip.at)
            self.findings.append(
                drafts.Finding(
                    grade="error",
                    rule="notify-malformed",
                    path="$",
                    text=slip.text,
                    line=line,
                    column=column,
                    width=width,
                )
            )
        if self.source.is_json and self.source.value is not None:
            self.wrong((), "this is JSON; write TOML")

    def wrong(
        self, path: tuple[str | int, ...], text: str, *, on_key: bool = False, words: Sequence[str] = ()
    ) -> None:
        """Note what is wrong at a place, and what to write."""
        self.findings.append(
            drafts.placed(
                self.source, path, on_key=on_key, rule="notify-malformed", text=text, words=tuple(words)
            )
        )

    def only(self, body: Mapping[str, Any], path: tuple[str | int, ...], known: Sequence[str]) -> None:
        """Note each setting that is not known."""
        for key in body:
            if key not in known:
                self.wrong((*path, key), "there is no such setting", on_key=True, words=known)

    def text(
        self,
        body: Mapping[str, Any],
        path: tuple[str | int, ...],
        name: str,
        shape: re.Pattern[str],
        what: str,
        default: str | None,
    ) -> str:
        """A text of a shape; `what` says what to write where it is none."""
        value = body.get(name, MISSING)
        if value is MISSING and default is not None:
            return default
        if isinstance(value, str) and shape.fullmatch(value):
            return value
        missing = value is MISSING
        self.wrong((*path, name), f"{name} is missing; write {what}" if missing else f"write {what}")
        return default or ""

    def texts(
        self,
        body: Mapping[str, Any],
        path: tuple[str | int, ...],
        name: str,
        shape: re.Pattern[str],
        most: int,
        what: str,
    ) -> tuple[str, ...]:
        """Texts of a shape, each once."""
        value = body.get(name, [])
        fits = isinstance(value, list) and len(value) <= most
        if fits and all(isinstance(each, str) and shape.fullmatch(each) for each in value):
            return tuple(dict.fromkeys(value))
        self.wrong((*path, name), f"write {what}; at most {most}")
        return ()

    def word(
        self,
        body: Mapping[str, Any],
        path: tuple[str | int, ...],
        name: str,
        words: Sequence[str],
        default: str | None,
    ) -> str:
        """One of some words."""
        value = body.get(name, MISSING)
        if value is MISSING and default is not None:
            return default
        if isinstance(value, str) and value in words:
            return value
        text = f"{name} is missing; write one of" if value is MISSING else "write one of"
        self.wrong((*path, name), f"{text}: {', '.join(words)}", words=words)
        return default or words[0]

    def yes(self, body: Mapping[str, Any], path: tuple[str | int, ...], name: str, *, default: bool) -> bool:
        """True or false."""
        value = body.get(name, default)
        if not isinstance(value, bool):
            self.wrong((*path, name), "write true or false")
            return default
        return value

    def minutes(self, body: Mapping[str, Any], path: tuple[str | int, ...]) -> int:
        """Minutes from 1 to a day."""
        value = body.get("escalate_after", "15m")
        found = re.fullmatch(r"([0-9]{1,4})m", value) if isinstance(value, str) else None
        if found is None or not 1 <= int(found[1]) <= 1440:
            self.wrong((*path, "escalate_after"), 'write minutes, 1 to 1440: "15m"')
            return 15
        return int(found[1])

    def file(
        self, body: Mapping[str, Any], path: tuple[str | int, ...], name: str, *, wanted: bool
    ) -> Path | None:
        """A private file with one line; it is read, so that a fault of it is told here."""
        if name not in body and not wanted:
            return None
        value = self.text(
            body,
            path,
            name,
            re.compile(r"[^\x00-\x1f]{1,400}"),
            "the name of a file, mode 0600, with the secret on one line",
            None,
        )
        if not value:
            return None
        file = (self.folder / value).absolute()
        try:
            secret = keys.read_line(file)
            if name == "secret_file":
                webhook_key(secret)
        except (KeyFileError, SendError) as exc:
            self.wrong((*path, name), str(exc))
        return file

    def url(
        self,
        body: Mapping[str, Any],
        path: tuple[str | int, ...],
        name: str,
        schemes: Sequence[str],
        *,
        wanted: bool,
    ) -> str:
        """An address of one of some schemes."""
        if name not in body and not wanted:
            return ""
        value = body.get(name, MISSING)
        what = (
            f"{schemes[0]}://HOST/…"
            if len(schemes) == 1 or schemes[0] == "https"
            else "smtp://HOST:587 or smtps://HOST:465"
        )
        problem = "" if isinstance(value, str) else "write an address"
        if isinstance(value, str):
            problem = url_problem(value, schemes)
        if problem:
            self.wrong(
                (*path, name),
                f"{name} is missing; write {what}" if value is MISSING else f"{problem}; write {what}",
            )
            return ""
        return str(value)


def url_problem(text: str, schemes: Sequence[str]) -> str:
    """What is wrong with an address; empty where nothing is. It has no user, fragment or character that is not seen."""
    if len(text) > MOST_ADDRESS or not re.fullmatch(r"[\x21-\x7e]+", text) or "\\" in text:
        return f"an address has at most {MOST_ADDRESS} characters of ASCII, and no blank"
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        return "this is no address"
    if url.scheme not in schemes or not url.hostname or port == 0:
        return "this is no address of this kind"
    if url.username is not None or url.password is not None or "@" in url.netloc:
        return "an address has no name or password in it"
    if url.fragment or "#" in text:
        return "an address has nothing behind a #"
    return ""
