"""Incidents: bulletins that belong together, by what their authors say, what people decided, and what is suggested with reasons."""
