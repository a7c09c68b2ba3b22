"""The camfleet hub: receives the frames of many nodes and shows them in a browser."""
