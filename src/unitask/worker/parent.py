"""The child's end of the socket: orders come in, and each attempt has a desk of its own for what is said about it."""

import os
import queue
import socket
import threading
from collections.abc import Sequence

from unitask.worker import messages


class Desk:
    """One attempt's end of the socket; satisfies `unitask.worker.job.Parent`."""

    def __init__(self, order: messages.Run, over: "Socket") -> None:
        self.order = order
        self.cancelled = threading.Event()
        self.saved: queue.SimpleQueue[messages.Saved] = queue.SimpleQueue()
        self.closed = False
        self._socket = over

    def say(self, word: messages.Word) -> None:
        """Tell the parent something; nobody hears it after the attempt's end, and a file is not stored then."""
        if not self._socket.say(self, word) and isinstance(word, messages.Save):
            self.saved.put(messages.Saved(of=word.of, reference="", why="the task was cancelled"))


class Socket:
    """One thread listens, so that a cancel is heard while an engine works."""

    def __init__(self, connection: socket.socket) -> None:
        self.orders: queue.SimpleQueue[Desk] = queue.SimpleQueue()
        self._stream = connection.makefile("rwb")
        self._lock = threading.Lock()
        self._desks: dict[messages.Name, Desk] = {}
        self._running: Sequence[Desk] = ()
        threading.Thread(target=self._listen, name="parent", daemon=True).start()

    def say(self, desk: Desk, word: messages.Word) -> bool:
        """Tell the parent something of an attempt, unless that has ended for the parent; tells whether."""
        with self._lock:
            if not desk.closed:
                self._write(word)
            return not desk.closed

    def begin(self, desks: Sequence[Desk]) -> list[Desk]:
        """Let attempts start, but for those that were cancelled while they waited."""
        with self._lock:
            self._running = [desk for desk in desks if not desk.closed]
            for desk in desks:
                if desk.closed:
                    self._forget(desk)
                else:
                    self._write(messages.Started(of=desk.order.of))
            return list(self._running)

    def end(self, desk: Desk, word: messages.End) -> None:
        """Report the end of an attempt, if that is still wanted."""
        with self._lock:
            if not desk.closed:
                self._close(desk, word)
            self._forget(desk)

    def _listen(self) -> None:
        for text in self._stream:
            match messages.ORDER.validate_json(text):
                case messages.Run() as order:
                    desk = self._desks[order.of] = Desk(order, self)
                    self.orders.put(desk)
                case messages.Saved(of=name) as saved:
                    if desk_of := self._desks.get(name):
                        desk_of.saved.put(saved)
                case messages.Cancel(of=name):
                    if desk_of := self._desks.get(name):
                        self._cancel(desk_of)
        os._exit(0)

    def _cancel(self, desk: Desk) -> None:
        """Stop the engine if it works for this attempt alone; else end the attempt, and drop what is made of it."""
        with self._lock:
            wanted = [one for one in self._running if not one.closed]
            if wanted == [desk]:
                for one in self._running:
                    one.cancelled.set()
            elif not desk.closed:
                cancelled = "the task was cancelled"
                broke = messages.Broke(
                    of=desk.order.of,
                    message=cancelled,
                    raw_message=cancelled,
                    number=10000,
                    retryable=False,
                    warnings=[],
                )
                self._close(desk, broke)

    def _forget(self, desk: Desk) -> None:
        if self._desks.get(desk.order.of) is desk:
            del self._desks[desk.order.of]

    def _close(self, desk: Desk, word: messages.End) -> None:
        desk.closed = True
        self._write(word)

    def _write(self, word: messages.Word) -> None:
        self._stream.write(messages.line(word))
        self._stream.flush()
