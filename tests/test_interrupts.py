"""Ctrl-C is heard wherever it lands, and held back where it must wait."""

import contextlib
import signal
import subprocess
import sys
import threading

import pytest

from course import interrupts


@pytest.fixture(autouse=True)
def heeded():
    """Ctrl-C as a terminal's command has it: tests that run in the background may have been told to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def dropped():
    """What a compiled library may do with it: nothing."""
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def handed_on():
    """What NumPy does with it where it reads another library's array."""
    dropped()
    raise SystemError("returned a result with an exception set")


def test_what_a_library_makes_of_it_is_an_interruption():
    with pytest.raises(KeyboardInterrupt), interrupts.heard():
        handed_on()


def test_what_a_library_drops_is_heard_where_stopping_is_safe():
    with interrupts.heard() as stop_if_interrupted:
        stop_if_interrupted()
        dropped()
        with pytest.raises(KeyboardInterrupt):
            stop_if_interrupted()


def test_in_python_it_is_immediate():
    with interrupts.heard(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_an_error_of_its_own_stays_what_it_is():
    with pytest.raises(SystemError, match="its own"), interrupts.heard():
        raise SystemError("its own")


def test_blocks_in_one_another_and_what_was_there_before_is_there_again():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupts.heard(), interrupts.heard():
        handed_on()
    assert signal.getsignal(signal.SIGINT) is before


def test_where_it_is_ignored_it_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupts.heard() as stop_if_interrupted:
        signal.raise_signal(signal.SIGINT)
        stop_if_interrupted()


def test_another_thread_changes_nothing():
    before, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with interrupts.heard() as stop_if_interrupted:
            stop_if_interrupted()
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_it_waits_until_what_must_not_be_cut_is_done():
    done = []

    def start():
        with interrupts.held():
            signal.raise_signal(signal.SIGINT)
            done.append(1)

    with pytest.raises(KeyboardInterrupt):
        start()
    assert done


def test_ctrl_c_in_a_destructor_is_heard_without_a_traceback():
    program = """
import signal
from course import __main__ as command, interrupts

signal.signal(signal.SIGINT, signal.default_int_handler)

class Dies:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

try:
    with command._quiet_about_ctrl_c(), interrupts.heard() as check:
        Dies()
        print("dropped")
        check()
except KeyboardInterrupt:
    print("heard")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["dropped", "heard"]
    assert done.stderr == ""
