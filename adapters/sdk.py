"""What an adapter author imports."""
