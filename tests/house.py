"""The import contract of doors: a room is entered through its ``__init__``, and by the names in its ``__all__`` only.

`lint-imports` runs it (see pyproject.toml), beside the contract of layers.
"""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

import grimp
from importlinter import Contract, ContractCheck, fields, output


class DoorsContract(Contract):
    """Modules outside of a package below ``root`` import the package itself, or a module that its ``__all__`` names."""

    type_name = "doors"
    root = fields.StringField()

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:
        """Keep the contract when no import passes a door by."""
        root = str(self.root)
        rooms = (module for module in graph.find_descendants(root) if graph.find_children(module))
        offers = {room: offered(room) for room in rooms}
        passed = sorted(
            (importer, imported, door)
            for imported in graph.find_descendants(root)
            for importer in graph.find_modules_that_directly_import(imported)
            if (door := passed_by(importer, imported, root, offers))
        )
        return ContractCheck(kept=not passed, metadata={"passed": passed})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """A line an import: who imports what, and the door that does not name it."""
        for importer, imported, door in check.metadata["passed"]:
            output.print_error(f"{importer} imports {imported}, which {door} does not offer", bold=False)
            output.new_line()


def passed_by(importer: str, imported: str, root: str, offers: dict[str, frozenset[str]]) -> str:
    """The package whose door an import passes by, or nothing.

    Every package between the two must name the next part of the way in its ``__all__``, but for the packages that
    the importer itself is in. The root has no door.
    """
    parts = imported.split(".")
    for count in range(1, len(parts)):
        package = ".".join(parts[:count])
        inside = importer == package or importer.startswith(f"{package}.")
        if package != root and not inside and parts[count] not in offers.get(package, ()):
            return package
    return ""


def offered(package: str) -> frozenset[str]:
    """The names in the ``__all__`` of a package, read from its source."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return frozenset()
    for node in ast.parse(Path(spec.origin).read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
        ):
            return frozenset(ast.literal_eval(node.value))
    return frozenset()
