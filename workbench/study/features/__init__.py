"""Features of snippets: what encodes them, and their extraction."""
