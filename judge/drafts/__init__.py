"""What stands behind `judge rubric draft`: units that a judge writes, and what code makes sure of."""
