"""The pages: each a pure function from a snapshot to a struct, which is shown as HTML and as JSON."""
