"""The texts of the console: found in templates and code, written into the catalogues of its languages."""
