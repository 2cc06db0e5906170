"""The national hub: projection of admitted bulletins, and the questions put to it."""
