"""Stops code that runs too long, wherever it runs: main thread or not, with signals or without."""

import contextlib
import ctypes
import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

GRACE = 2.0  # seconds after the limit before we say that one long C call holds the interpreter
REPEAT = 0.2  # seconds to wait for an answer to end after the exception, before the next one
BURST = 2e-5  # seconds between the alarms for an answer that swallowed two, where the machine is fast

_OURS = (str(Path(__file__).parent), contextlib.__file__)
_random = random.Random()  # not the global one, whose state an answer may use


class TimedOut(BaseException):
    """The time limit passed. Not an Exception, so that `except Exception: continue` does not swallow it."""


@contextmanager
def time_limit(seconds: float, stuck: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Raises TimedOut inside the block after `seconds`; calls `stuck` when that does not end it.

    In the main thread signals do it, and end a loop around a bare `except:` too. Elsewhere, and on Windows,
    the exception is set from a second thread, and such a loop can swallow it for ever. Neither can interrupt
    a single long C call: the exception is raised when the call returns.
    """
    signals = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    watch = threading.Timer(seconds + GRACE, stuck)
    watch.daemon = True
    watch.start()
    try:
        with _Alarms(seconds) if signals else _thread_alarm(seconds):
            yield
    finally:
        watch.cancel()


class _Alarms:
    """TimedOut by signals, again and again until the block ends.

    A loop around a bare `except:` swallows what is raised in its `try`, but not what is raised between there
    and the next round. So alarms come at random moments, some microseconds apart, until one hits that gap.
    Where a machine is so slow that one comes before the last one is answered, they come less often for a
    while. One that finds the stack full comes to nothing, so the timer goes on by itself.
    """

    def __init__(self, seconds: float):
        self._seconds, self._count, self._burst = seconds, 0, BURST

    def __enter__(self) -> None:
        self._armed = True
        self._before = signal.signal(signal.SIGALRM, self._alarm)
        signal.setitimer(signal.ITIMER_REAL, self._seconds, REPEAT)  # again, even if a call comes to nothing

    def __exit__(self, *_) -> None:
        self._armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)

    def _alarm(self, _, interrupted: FrameType) -> None:
        if not self._armed:
            return
        self._count += 1
        ours = interrupted.f_code.co_filename.startswith(_OURS)  # it is on its way out already
        self._burst = min(2 * self._burst, REPEAT) if ours else max(0.9 * self._burst, BURST)
        pause = REPEAT if self._count <= 2 else _random.uniform(1e-6, self._burst)
        signal.setitimer(signal.ITIMER_REAL, pause, REPEAT)
        if not ours:
            raise TimedOut(f"stopped after {self._seconds:g} s")


@contextmanager
def _thread_alarm(seconds: float) -> Iterator[None]:
    """The same without signals: sets TimedOut in the calling thread from a watching one."""
    done, lock = threading.Event(), threading.Lock()
    target = ctypes.c_ulong(threading.get_ident())

    def watch() -> None:
        wait = seconds
        while not done.wait(wait):
            with lock:  # so that the exception is never set after the block has ended
                if not done.is_set():
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(target, ctypes.py_object(TimedOut))
            wait = REPEAT

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        while not done.is_set():  # the exception may be delivered even here
            with contextlib.suppress(TimedOut), lock:
                done.set()
        ctypes.pythonapi.PyThreadState_SetAsyncExc(target, None)  # one that was set and not delivered yet
