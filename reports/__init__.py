"""Results made readable: tables, plots and pages, comparisons and the gate. Sees results alone."""
