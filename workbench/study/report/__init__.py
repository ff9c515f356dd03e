"""What a study says: scores, verdicts, Markdown and files."""
