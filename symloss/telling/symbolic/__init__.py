"""Algebra without an upper bound of time, in a process of its own that can be stopped; text travels, both ways."""
