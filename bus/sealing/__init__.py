"""End-to-end encryption of bulletins and sections, for named authorities."""
