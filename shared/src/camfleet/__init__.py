"""camfleet: frames from many cameras to one hub, without lag.

`Sender`, `Subscriber` and `Receiver` are for programs; `camfleet.imagezmq` is a drop-in for
imagezmq.
"""

from camfleet.errors import CamfleetError, LocalProtocolError, RemoteProtocolError
from camfleet.frame import Frame
from camfleet.keyring import Keyring
from camfleet.receiver import Receiver
from camfleet.sender import Sender
from camfleet.subscriber import Subscriber

__all__ = [
    "CamfleetError",
    "Frame",
    "Keyring",
    "LocalProtocolError",
    "Receiver",
    "RemoteProtocolError",
    "Sender",
    "Subscriber",
]
