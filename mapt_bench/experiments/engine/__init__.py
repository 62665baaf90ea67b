"""The engine runs the cells of a plan as work units, and resumes a stopped run."""
