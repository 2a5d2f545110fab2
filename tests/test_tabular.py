"""The real tables: split without overlap, scaled by the training part alone."""

from __future__ import annotations

import numpy as np
import pytest

from course.data import tabular


@pytest.mark.parametrize(
    ("load", "shape", "classes"),
    [(tabular.breast_cancer, (569, 30), 2), (tabular.digits, (1797, 64), 10)],
)
def test_a_split_shares_the_data_out(load, shape, classes):
    split = load(seed=3)
    assert len(split.X_train) + len(split.X_test) == shape[0]
    assert split.X_train.shape[1] == split.X_test.shape[1] == shape[1] == len(split.features)
    assert len(split.classes) == classes == len(np.unique(split.y_test))
    assert (split.X_train.dtype, split.y_train.dtype) == (np.float32, np.int64)
    assert len(split.X_test) == pytest.approx(0.3 * shape[0], abs=1)
    shares = [np.bincount(y, minlength=classes) / len(y) for y in (split.y_train, split.y_test)]
    np.testing.assert_allclose(*shares, atol=0.01)


def test_no_sample_of_the_tumours_is_in_both_parts():
    split = tabular.breast_cancer()
    assert not {row.tobytes() for row in split.X_train} & {row.tobytes() for row in split.X_test}


def test_a_seed_gives_the_same_split_and_another_seed_another():
    first, again, other = (tabular.breast_cancer(seed=seed).X_test for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_split_cannot_be_changed_by_accident():
    split = tabular.digits()
    with pytest.raises(ValueError, match="read-only"):
        split.X_train[0, 0] = 5
    with pytest.raises(AttributeError):
        split.name = "other"


@pytest.mark.parametrize("test_size", [0, 1, 1.5, -0.1])
def test_a_share_outside_0_to_1_is_refused(test_size):
    with pytest.raises(ValueError, match="between 0 and 1"):
        tabular.digits(test_size=test_size)


def test_the_training_part_alone_sets_the_scale():
    rng = np.random.default_rng(0)
    train, test = rng.normal(5, 3, (40, 4)), rng.normal(9, 1, (20, 4))
    scaled, scaled_test = tabular.standardise(train, test)
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(0), 1)
    changed = test.copy()
    changed[1:] = 1000
    np.testing.assert_array_equal(tabular.standardise(train, changed)[0], scaled)
    np.testing.assert_array_equal(tabular.standardise(train, changed)[1][0], scaled_test[0])


def test_standardising_is_scikit_learns():
    from sklearn.preprocessing import StandardScaler

    split = tabular.digits()
    train, test = np.asarray(split.X_train, float), np.asarray(split.X_test, float)
    scaler = StandardScaler().fit(train)
    for ours, theirs in zip(
        tabular.standardise(train, test),
        (scaler.transform(train), scaler.transform(test)),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-10)


@pytest.mark.parametrize("value", [0.0, 3.1, 1e8 + 0.1])
def test_a_constant_column_is_only_centred(value):
    train, test = np.full((7, 2), value), np.full((3, 2), value + 2)
    scaled, scaled_test = tabular.standardise(train, test)
    np.testing.assert_allclose(scaled, 0, atol=1e-7)
    np.testing.assert_allclose(scaled_test, 2, atol=1e-7)


def test_tables_with_other_columns_are_refused():
    with pytest.raises(ValueError, match="same columns"):
        tabular.standardise(np.zeros((3, 2)), np.zeros((3, 4)))


def test_a_standardised_split_is_still_read_only_float32():
    split = tabular.breast_cancer().standardised()
    assert split.X_test.dtype == np.float32
    assert not split.X_test.flags.writeable
    assert abs(split.X_train.mean(0)).max() < 1e-5
