"""The interval matrix: heads fine-tuned at some temporal intervals, and run at others."""
