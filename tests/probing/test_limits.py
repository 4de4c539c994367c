"""The time limit stops what it can stop, in every thread, and says what to do about the rest."""

import contextlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from minigen.probing import limits
from minigen.probing.limits import TimedOut, time_limit


def spin():
    while True:
        time.sleep(0.01)


def stubborn(stops: int):
    """Swallows the exception a few times, as a bare `except:` in a loop does."""
    while True:
        try:
            spin()
        except BaseException:
            stops -= 1
            if stops < 0:
                raise


def swallows_everything():
    while True:
        try:  # noqa: SIM105
            time.sleep(0.001)
        except:  # noqa: E722
            pass


def swallows_everything_without_a_call():
    x = 0
    while True:
        try:
            x += 1
        except:  # noqa: E722
            continue


def swallows_it_twice():
    while True:
        try:
            with contextlib.suppress(BaseException):
                time.sleep(0.001)
        finally:
            continue  # noqa: B012


def in_thread(work):
    caught = []

    def run():
        try:
            work()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    return caught


def limited(work, seconds=0.1):
    with time_limit(seconds):
        work()


def test_a_loop_in_the_main_thread_is_stopped():
    with pytest.raises(TimedOut, match=r"0\.1 s"):
        limited(spin)


def test_a_loop_in_another_thread_is_stopped_without_signals():
    assert [type(e) for e in in_thread(lambda: limited(spin))] == [TimedOut]


def test_a_loop_that_swallows_the_exception_is_stopped_by_the_next_one(monkeypatch):
    monkeypatch.setattr(limits, "REPEAT", 0.05)
    with pytest.raises(TimedOut):
        limited(lambda: stubborn(3))
    assert [type(e) for e in in_thread(lambda: limited(lambda: stubborn(3)))] == [TimedOut]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signals")
@pytest.mark.parametrize(
    "endless", [swallows_everything, swallows_everything_without_a_call, swallows_it_twice]
)
def test_a_loop_that_swallows_every_exception_is_stopped_too(monkeypatch, endless):
    monkeypatch.setattr(limits, "REPEAT", 0.01)
    for _ in range(20):
        with pytest.raises(TimedOut):
            limited(endless, 0.01)


SLOW_MACHINE = """
import time
from minigen.probing import limits
limits.REPEAT, limits.BURST = 0.01, 1e-6  # each alarm would interrupt the one before, until the stack is full
def endless():
    while True:
        try: time.sleep(0.001)
        except: pass
"""
FULL_STACK = """
from minigen.probing import limits
limits.REPEAT = 0.01
def endless():  # there is no room for the call that answers an alarm
    try: endless()
    except: pass
    while True: pass
"""
STOPPED = """
for _ in range(20):
    try:
        with limits.time_limit(0.01): endless()
    except limits.TimedOut: pass
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signals")
@pytest.mark.parametrize("endless", [SLOW_MACHINE, FULL_STACK], ids=["slow machine", "full stack"])
def test_an_alarm_that_is_lost_is_not_the_last(endless):
    """In a process of its own, which can be ended if the loop is not."""
    subprocess.run([sys.executable, "-c", endless + STOPPED], check=True, timeout=60)


def test_work_that_ends_in_time_is_left_alone_afterwards():
    limited(lambda: None, 0.05)
    in_thread(lambda: limited(lambda: None, 0.05))
    time.sleep(0.15)  # a limit that were still armed would go off here


def test_a_long_call_that_cannot_be_stopped_is_reported_while_it_runs(monkeypatch):
    monkeypatch.setattr(limits, "GRACE", 0.05)
    said = threading.Event()

    def work():
        with time_limit(0.05, stuck=said.set):
            while not said.is_set():  # swallows every exception, like one long C call
                try:
                    said.wait(0.01)
                except BaseException:
                    continue

    in_thread(work)
    assert said.is_set()
