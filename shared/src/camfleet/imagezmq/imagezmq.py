"""So that `from camfleet.imagezmq import imagezmq` gives the names that stock's module gives."""

from __future__ import annotations

import numpy as np
import zmq

from camfleet.imagezmq.hub import ImageHub
from camfleet.imagezmq.sender import ImageSender
from camfleet.imagezmq.serializing import SerializingContext, SerializingSocket

# stock's module lets np and zmq out too, and programs catch `imagezmq.zmq.Again`
__all__ = ["ImageHub", "ImageSender", "SerializingContext", "SerializingSocket", "np", "zmq"]
