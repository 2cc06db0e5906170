"""Commands of a registrar and a root keeper: keys and the signed registry."""
