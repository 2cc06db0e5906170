"""Who may say and read what, decided from a signed registry."""
