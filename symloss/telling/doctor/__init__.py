"""What `symloss doctor` looks at: this machine, and a run's files; one file a question, and their table."""
