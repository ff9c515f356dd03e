"""Long videos: what happens when in them, their snippets, sequences in batches."""
