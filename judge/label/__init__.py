"""What a person says of units: a page on this machine, and the file of labels that it fills."""
