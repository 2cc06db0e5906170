"""The command line: one module for each noun, imported only when its command runs."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.cli import frame
    from bus.cli.main import COMMANDS, program
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "COMMANDS",
    "frame",
    "program",
]
