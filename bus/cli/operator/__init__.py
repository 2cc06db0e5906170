"""Commands of an operator: hub, broker, carriers, bundles, drills, audit record."""
