"""Kill a driver anywhere, resume, and compare with a run that nobody disturbed: `python -m tests.chaos`."""
