"""Run directories and loss files as earlier versions of symloss wrote them, and the command that makes today's."""
