"""Brings the catalogues of the console up to date: `python -m tests.texts`; a new text has no translation yet, an old one goes."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from bus.console.voices import FOLDER, NAMES
from bus.languages import DEFAULT, Entry, entries, heading
from tests.texts.found import Text, every

RULES = {"fr": "nplurals=2; plural=(n > 1);"}
USUAL = "nplurals=2; plural=(n != 1);"


def written(tag: str, known: Mapping[Text, tuple[str, ...]], texts: list[Text], plural: str) -> str:
    """A catalogue with these texts, each with its translation or none."""
    lines = [
        f'# What the console says, in the language "{tag}". Places as %(name)s and tags as <b> stay as they are.',
        'msgid ""', 'msgstr ""', '"Content-Type: text/plain; charset=UTF-8\\n"', f'"Language: {tag}\\n"',
        f'"Plural-Forms: {plural}\\n"',
    ]  # fmt: skip
    for each in texts:
        lines.append("")
        if each.context:
            lines.append(f"msgctxt {_quoted(each.context)}")
        lines.append(f"msgid {_quoted(each.text)}")
        said = known.get(each, ())
        if each.many:
            lines.append(f"msgid_plural {_quoted(each.many)}")
            lines += [f"msgstr[{n}] {_quoted(said[n] if n < len(said) else '')}" for n in range(2)]
        else:
            lines.append(f"msgstr {_quoted(said[0] if said else '')}")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write them. Returns 1 where a text has no translation yet."""
    texts, lacking = every(), 0
    for tag in NAMES:
        if tag == DEFAULT:
            continue
        path = FOLDER / f"{tag}.po"
        source = path.read_text("utf-8") if path.exists() else ""
        known = {_text(each): each.said for each in entries(source) if each.text}
        plural = heading(source).get("Plural-Forms", RULES.get(tag, USUAL))
        path.write_text(written(tag, known, texts, plural), "utf-8")
        missing = sum(not all(known.get(each, ("",))) for each in texts)
        lacking += missing
        sys.stdout.write(f"{path.name}: {len(texts)} texts, {missing} without a translation\n")
    return 1 if lacking else 0


def _text(each: Entry) -> Text:
    return Text(each.text, each.many, each.context)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


if __name__ == "__main__":
    sys.exit(main())
