"""Floor 3, searching: fitness, selection, variation and the searches; no torch, no Ray."""
