"""Formats of small files: text, tables, JSON, intervals, poses, archives."""
