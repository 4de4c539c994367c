"""Stops code that runs too long, wherever it runs: main thread or not, with signals or without."""

import contextlib
import ctypes
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

GRACE = 2.0  # seconds after the limit before we say that one long C call holds the interpreter
REPEAT = 0.5  # seconds between further tries, for code that swallows the exception


class TimedOut(BaseException):
    """The time limit passed. Not an Exception, so that `except Exception: continue` does not swallow it."""


@contextmanager
def time_limit(seconds: float, stuck: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Raises TimedOut inside the block after `seconds`; calls `stuck` when that does not end it.

    In the main thread a signal does it. Elsewhere, and on Windows, the exception is set from a second thread.
    Neither can interrupt a single long C call: it is raised when the call returns. A tight loop around a bare
    `except:` can swallow it for ever.
    """
    armed = True

    def alarm(*_) -> None:
        if armed:
            raise TimedOut(f"stopped after {seconds:g} s")

    watch = threading.Timer(seconds + GRACE, stuck)
    watch.daemon = True
    watch.start()
    signals = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    try:
        if signals:
            before = signal.signal(signal.SIGALRM, alarm)
            signal.setitimer(signal.ITIMER_REAL, seconds, REPEAT)
            yield
        else:
            with _thread_alarm(seconds):
                yield
    finally:
        while armed:  # an alarm may go off even here
            with contextlib.suppress(TimedOut):
                armed = False
        if signals:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        watch.cancel()


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
