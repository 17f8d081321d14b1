"""mpmath's precision is one setting of the whole process."""

import threading

import mpmath

from rsonnx.noise.rounding import precision


def test_the_precision_is_one_thread_s_at_a_time() -> None:
    before, seen, entered = mpmath.mp.prec, [], threading.Event()

    def other() -> None:
        with precision(60):
            entered.set()
            seen.append(mpmath.mp.prec)

    with precision(200):
        thread = threading.Thread(target=other)
        thread.start()
        assert not entered.wait(0.05)
        with precision(100):
            assert mpmath.mp.prec == 100
        assert mpmath.mp.prec == 200
    thread.join()
    assert seen == [60]
    assert mpmath.mp.prec == before
