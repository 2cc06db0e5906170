"""Keys and signatures. The only room that touches cryptography."""
