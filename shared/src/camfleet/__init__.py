"""camfleet: frames from many cameras to one hub, without lag.

`Sender` and `Receiver` are for programs; `camfleet.imagezmq` is a drop-in for imagezmq.
"""

from camfleet.errors import CamfleetError, LocalProtocolError, RemoteProtocolError
from camfleet.frame import Frame
from camfleet.receiver import Receiver
from camfleet.sender import Sender

__all__ = [
    "CamfleetError",
    "Frame",
    "LocalProtocolError",
    "Receiver",
    "RemoteProtocolError",
    "Sender",
]
