"""Stands in for PiDNG, whose only distribution wants a C compiler: the node writes no DNG files.

picamera2 imports it for `save_dng`, which says here that it cannot.
"""
