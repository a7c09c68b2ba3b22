"""What the kernel says of the machine that a node runs on. It only reads, below a given root."""
