"""Registry and bulletins in one file, over an air gap."""
