"""Virtual time, and tasks that wait in it: one runs at a time, and nothing sleeps."""

from __future__ import annotations

import heapq
import itertools
import os
import threading
from collections.abc import Callable
from typing import Any


class Killed(BaseException):
    """Ends a task where it waits, as SIGKILL ends a process; no `except Exception` of the agents takes it."""


class Event:
    """Something that happens at a moment, unless it is cancelled before."""

    def __init__(self, moment: float, action: Callable[[], Any]) -> None:
        self.moment, self.action, self.cancelled = moment, action, False

    def cancel(self) -> None:
        self.cancelled = True


class Worker(threading.Thread):
    """A thread that runs one task after the other; the kernel and it take turns."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.task: Task | None = None
        self._mine, self._kernels = threading.Lock(), threading.Lock()
        self._mine.acquire()
        self._kernels.acquire()
        self.start()

    def run(self) -> None:
        while True:
            self._mine.acquire()
            assert self.task
            self.task.body()
            self.task = None
            self._kernels.release()

    def go_on(self) -> None:
        """For the kernel: returns when the task waits, or has ended."""
        self._mine.release()
        self._kernels.acquire()

    def wait(self) -> None:
        """For the task: returns when the kernel goes on with it."""
        self._kernels.release()
        self._mine.acquire()


IDLE: list[Worker] = []
"""Workers outlive a history: to make a thread takes longer than what most tasks do."""
os.register_at_fork(after_in_child=IDLE.clear)  # a fork takes no threads along


class Task:
    """A function that may wait in virtual time."""

    def __init__(self, kernel: Kernel, function: Callable[[], Any], owner: Any) -> None:
        self.kernel, self.owner = kernel, owner
        self._function = function
        self._worker: Worker | None = None
        self.killed = self.ended = False
        self.frozen = self._woken = False
        self.error: BaseException | None = None
        self.waiters: list[Task] = []
        self._then: list[Callable[[], None]] = []
        self._alarm: Event | None = None

    def begin(self) -> None:
        if self.killed:
            self._end()
            return
        self._worker = IDLE.pop() if IDLE else Worker()
        self._worker.task = self
        self._switch()

    def body(self) -> None:
        try:
            self._function()
        except Killed:
            return
        except Exception as error:  # of the simulation itself: it ends the run
            self.error = error

    def _switch(self) -> None:
        before, self.kernel.current = self.kernel.current, self
        worker = self._worker
        assert worker
        worker.go_on()
        self.kernel.current = before
        if worker.task is None:
            IDLE.append(worker)
            self._end()

    def _end(self) -> None:
        self.ended = True
        if self.error:
            raise self.error
        for waiter in list(self.waiters):
            waiter.wake()
        for function in self._then:
            self.kernel.after(0, function)

    def when_ended(self, function: Callable[[], None]) -> None:
        self._then.append(function)

    def wake(self) -> None:
        """Goes on with a task that waits."""
        if self.ended or self._worker is None:
            return
        if self.frozen and not self.killed:
            self._woken = True
            return
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None
        self._switch()

    def pause(self, seconds: float | None) -> None:
        """For the task itself: waits so long, or until it is woken."""
        if seconds is not None:
            self._alarm = self.kernel.after(seconds, self.wake)
        assert self._worker
        self._worker.wait()
        if self.killed:
            raise Killed

    def join(self, other: Task, seconds: float | None) -> None:
        """For the task itself: waits for another one to end."""
        if not other.ended:
            other.waiters.append(self)
            self.pause(seconds)
            if self in other.waiters:
                other.waiters.remove(self)

    def kill(self) -> None:
        if self.ended or self.killed:
            return
        self.killed = True
        if self is self.kernel.current:
            raise Killed
        self.wake()

    def freeze(self, frozen: bool) -> None:
        """SIGSTOP and SIGCONT."""
        self.frozen = frozen
        if not frozen and self._woken:
            self._woken = False
            self.kernel.after(0, self.wake)


class Kernel:
    """The clock, and what is to happen."""

    def __init__(self) -> None:
        self.now = 0.0
        self.current: Task | None = None
        self.after_each: Callable[[], None] = lambda: None
        self._events: list[tuple[float, int, Event]] = []
        self._numbers = itertools.count()

    def after(self, seconds: float, action: Callable[[], Any]) -> Event:
        event = Event(self.now + max(0.0, seconds), action)
        heapq.heappush(self._events, (event.moment, next(self._numbers), event))
        return event

    def spawn(self, function: Callable[[], Any], owner: Any = None) -> Task:
        task = Task(self, function, owner)
        self.after(0, task.begin)
        return task

    def sleep(self, seconds: float) -> None:
        """For the task that runs. Where nothing else happens before, the clock alone goes on."""
        task = self.current
        assert task
        if task.killed:
            raise Killed
        end = self.now + max(0.0, seconds)
        if not task.frozen and not (self._events and self._events[0][0] <= end):
            self.now = end
        else:
            task.pause(seconds)

    def run(self, until: float) -> None:
        """Lets everything happen up to a moment."""
        self.after(until - self.now, lambda: None)
        while self._events and self._events[0][0] <= until:
            event = heapq.heappop(self._events)[2]
            if not event.cancelled:
                self.now = event.moment
                event.action()
                self.after_each()
        self.now = until

    def timer(self, seconds: float, function: Callable[[], Any]) -> Timer:
        """What threading.Timer is."""
        return Timer(self, seconds, function)


class Timer:
    """A function that is called after some seconds."""

    daemon = True

    def __init__(self, kernel: Kernel, seconds: float, function: Callable[[], Any]) -> None:
        self._kernel, self._seconds, self._function = kernel, seconds, function
        self._event: Event | None = None

    def start(self) -> None:
        self._event = self._kernel.after(self._seconds, self._function)

    def cancel(self) -> None:
        if self._event:
            self._event.cancel()
