"""The command `camfleet-node doctor`: what is found, what is missing, and the remedy."""
