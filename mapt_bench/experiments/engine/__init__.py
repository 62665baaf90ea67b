"""The engine: runs the cells of a plan in units of work, and resumes where a run stopped."""
