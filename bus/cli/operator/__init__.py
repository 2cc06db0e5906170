"""Commands of an operator: hub, broker, carriers, bundles, drills, the audit record."""
