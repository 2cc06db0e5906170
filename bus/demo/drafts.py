"""Copies the example drafts into the folder of the demonstration."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

PACKAGED = Path(__file__).with_name("examples")
"""Their folder in a wheel (pyproject.toml)."""
SOURCE = Path(__file__).parents[2] / "examples" / "drafts"
"""Their folder in a checkout."""


def put_drafts(folder: Path, sources: Sequence[Path] = (PACKAGED, SOURCE)) -> Path:
    """Copy the drafts into the folder `drafts` of a demonstration; existing files stay unchanged.

    Args:
        folder: of the demonstration.
        sources: possible source folders; the first that exists is used.

    Returns:
        The folder of the drafts.

    Raises:
        OSError: the drafts cannot be written.
    """
    target = folder / "drafts"
    target.mkdir(parents=True, exist_ok=True)
    source = next((each for each in sources if each.is_dir()), None)
    for draft in sorted(source.iterdir()) if source is not None else ():
        if draft.is_file() and not (target / draft.name).exists():
            shutil.copyfile(draft, target / draft.name)
    return target
