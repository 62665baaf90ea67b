"""A drawn world whose every answer is known."""
