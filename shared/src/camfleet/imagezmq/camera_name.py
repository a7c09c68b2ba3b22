"""The camera's name in an imagezmq text; never a name that has not been checked."""

from __future__ import annotations

from typing import Final

from camfleet.names import check_name

UNNAMED: Final = "unnamed"  # for senders that say nothing; they share one camera


def camera_name(msg: object) -> str:
    """Return the name of the camera that sent `msg`.

    imagenode and imagehub write `name|event|…` into the text, so the name is what stands before
    the first `|`. A list is named by its first item, a number by its digits. Nothing, an empty
    text and an object are `unnamed`.

    Args:
        msg: any JSON value, as `Message.msg`.

    Raises:
        RemoteProtocolError: with reason `name`, when the name cannot be a camera's.
    """
    while isinstance(msg, list) and msg:  # a loop: a peer chooses how deep its lists are
        msg = msg[0]
    if not isinstance(msg, str | int | float):
        return UNNAMED
    name = str(msg).partition("|")[0].strip()
    return check_name(name, "camera name") if name else UNNAMED
