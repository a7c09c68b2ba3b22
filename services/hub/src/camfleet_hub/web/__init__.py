"""What the hub serves over HTTP: the wall, snapshots, MJPEG, the API, health and metrics."""
