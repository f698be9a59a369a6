"""What answers a request. One file each; imported only when it is chosen."""
