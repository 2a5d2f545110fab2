"""Reading what came in: the value, or one sentence."""

from __future__ import annotations

import numpy as np
import pytest

from course.inputs import finite, positive, whole


def test_good_values_come_back_as_plain_ones():
    assert whole("n", np.int64(3)) == 3
    assert type(whole("n", np.int64(3))) is int
    assert whole("steps", 0, 0) == 0
    assert positive("step", np.float32(0.5)) == 0.5
    array = np.arange(3)
    copy = finite("w", array)
    copy[0] = 9
    assert copy.dtype == np.float64
    assert array[0] == 0


BAD = [
    (whole, 0, "n must be a whole number of at least 1; got 0."),
    (whole, 2.5, "n must be a whole number of at least 1; got 2.5."),
    (whole, True, "n must be a whole number of at least 1; got True."),
    (whole, "3", "n must be a whole number of at least 1; got '3'."),
    (positive, 0.0, "n must be a positive number; got 0.0."),
    (positive, float("nan"), "n must be a positive number; got nan."),
    (positive, float("inf"), "n must be a positive number; got inf."),
    (positive, "3", "n must be a positive number; got '3'."),
    (positive, None, "n must be a positive number; got None."),
    (positive, [1, 2], "n must be a positive number; got [1, 2]."),
    (finite, [], "n must hold at least one number, all of them finite."),
    (finite, [1.0, np.nan], "n must hold at least one number, all of them finite."),
    (finite, ["one"], "n cannot be read as an array of numbers"),
]


@pytest.mark.parametrize(("read", "value", "sentence"), BAD)
def test_bad_values_get_one_sentence(read, value, sentence):
    with pytest.raises(ValueError, match=r"^n ") as caught:
        read("n", value)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)
