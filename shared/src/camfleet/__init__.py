"""camfleet: frames from many cameras to one hub, without lag."""
