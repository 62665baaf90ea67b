"""Summaries: compute the content of ``results.json`` from finished units."""
