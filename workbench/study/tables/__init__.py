"""Tables of papers as files, and the runs that each of them needs."""
