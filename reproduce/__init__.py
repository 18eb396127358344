"""The studies behind docs/results.md: what is reproduced of the literature, and which search is worth its cost.

`make reproduce` runs those that a processor can do; each can be run alone, is taken up where it was broken off, and
writes its figures beside its name in `reproduce/results/`.
"""
