"""What an ablation has to reach, line by line, read from the results of its runs."""
