"""Floor 4, running: experiments, the run store, the loop and the finals."""
