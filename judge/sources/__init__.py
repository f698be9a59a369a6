"""One file a format; loaded when an input has it."""
