"""Numbers of how far raters agree, from counts of what they said; each with its interval or the reason for none."""
