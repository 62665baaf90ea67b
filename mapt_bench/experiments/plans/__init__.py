"""Plans: what to run. Rows, intervals, stressors, and the videos and segments they run on."""
