"""Adapters: a found loss in other libraries' training loops, and a run in their trackers.

Each file serves one library and is imported only when a user asks for it; `symloss` itself needs none of them.
"""
