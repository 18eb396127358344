"""What a run keeps on disk: its directory, its store, and looking at both when they may be a stranger's or damaged."""
