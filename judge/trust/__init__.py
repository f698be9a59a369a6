"""How far a judge can be believed: what it says held against what people say, and against what it says itself."""
