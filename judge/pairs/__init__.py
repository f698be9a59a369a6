"""Two traces of one question -> which is better: paired, asked about in both orders, and put into tables."""
