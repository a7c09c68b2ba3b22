from __future__ import annotations

import threading

from camfleet.mailbox import Mailbox


def test_a_newer_item_replaces_the_one_that_nobody_took() -> None:
    mailbox: Mailbox[int] = Mailbox()
    assert mailbox.put(1) is None
    assert mailbox.put(2) == 1
    assert mailbox.take(0) == 2
    assert mailbox.take(0) is None


def test_a_busy_key_does_not_starve_a_quiet_one() -> None:
    mailbox: Mailbox[str] = Mailbox()
    mailbox.put("busy 1", "busy")
    mailbox.put("quiet 1", "quiet")
    mailbox.put("busy 2", "busy")
    assert mailbox.take(0) == "busy 2"
    mailbox.put("busy 3", "busy")
    assert mailbox.take(0) == "quiet 1"


def test_an_item_wakes_whoever_waits() -> None:
    mailbox: Mailbox[int] = Mailbox()
    taken: list[int | None] = []
    taker = threading.Thread(target=lambda: taken.append(mailbox.take(30)))
    taker.start()
    mailbox.put(7)
    taker.join(30)
    assert taken == [7]


def test_closing_wakes_whoever_waits() -> None:
    mailbox: Mailbox[int] = Mailbox()
    taken: list[int | None] = []
    takers = [threading.Thread(target=lambda: taken.append(mailbox.take(30))) for _ in range(2)]
    for taker in takers:
        taker.start()
    mailbox.close()
    for taker in takers:
        taker.join(30)
    assert taken == [None, None]


def test_what_is_in_a_closed_mailbox_can_still_be_taken() -> None:
    mailbox: Mailbox[int] = Mailbox()
    mailbox.put(1)
    mailbox.close()
    assert mailbox.is_closed
    assert mailbox.take(0) == 1
    assert mailbox.take(0) is None
