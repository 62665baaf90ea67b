"""Tuning: the same number of trials for every tracker, and the thresholds file they lead to."""
