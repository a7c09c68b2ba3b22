"""The camfleet node: captures from the cameras of one machine and sends to a hub."""
