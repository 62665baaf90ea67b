"""Summaries: from finished units to the content of ``results.json``."""
