"""Drafts to publish in the demonstration: those of the examples, put into its folder."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

PACKAGED = Path(__file__).with_name("examples")
"""Where a wheel has them (pyproject.toml)."""
SOURCE = Path(__file__).parents[2] / "examples" / "drafts"
"""Where a checkout has them."""


def put_drafts(folder: Path, sources: Sequence[Path] = (PACKAGED, SOURCE)) -> Path:
    """Copy the drafts into the folder `drafts` of a demonstration; those that are there stay as they are.

    Args:
        folder: of the demonstration.
        sources: the first that is there is taken.

    Returns:
        The folder of the drafts.

    Raises:
        OSError: they cannot be written.
    """
    target = folder / "drafts"
    target.mkdir(parents=True, exist_ok=True)
    source = next((each for each in sources if each.is_dir()), None)
    for draft in sorted(source.iterdir()) if source is not None else ():
        if draft.is_file() and not (target / draft.name).exists():
            shutil.copyfile(draft, target / draft.name)
    return target
