"""`python -m tests.drafts [FOLDER...]`: a line for each draft, file, expected, got and why, then how many are right."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.drafts.judging import CORPUS, judge

right = total = 0
for folder in [Path(name) for name in sys.argv[1:]] or [CORPUS / name for name in ("good", "twins", "bad")]:
    for each in judge(folder):
        right, total = right + each.is_right, total + 1
        sign = " " if each.is_right else "!"
        sys.stdout.write(f"{sign} {folder.name}/{each.file}\t{each.expected}\t{each.got}\t{each.why}\n")
sys.stdout.write(f"right: {right} of {total}\n")
