"""From a file to records: formats, names, shapes, references."""
