"""What makes a run's numbers doubtful."""
