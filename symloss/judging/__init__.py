"""Floor 2, judging: tasks, screening, cohort training and the pools of workers."""
