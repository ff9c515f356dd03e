"""Files and processes that survive a kill.

- ``drafts``: a file is the old one or the new one, whole, whenever the machine stops.
- ``checksums``: what is finished is known by its size and digest; what is damaged is found before it is read.
- ``locks``: one process at a time does a thing; the lock ends with its process.
- ``reading``: what a damaged file makes of its reader becomes one sentence that names it.
- ``workers``: processes that work for another one, and end with it.
- ``processes``: how many processes and threads compute, and how their threads wait.
- ``video``: H.264 written whole, that every reader and player can seek in.

``drafts``, ``workers`` and ``processes`` need the standard library alone; ``checksums`` and ``locks`` need filelock,
``reading`` what its formats need (pandas and pyarrow, PyYAML), ``video`` numpy and PyAV.
"""
