"""Where an image comes from: a file beneath the root, or an address."""
