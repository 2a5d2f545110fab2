"""What models learn: each task keeps its contract, and what it says of its floor and its hash is true."""

import contextlib
import math
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course.data import TASKS, Task, images, synthetic_tasks, task, text

OFFLINE = (
    ("characters", {}),
    ("bytes", {}),
    ("digits", {}),
    ("mnist1d", {"samples": 300, "validation": 200}),
    ("least-squares", {"d": 5}),
    ("logistic", {"d": 1}),
    ("logistic", {"d": 6}),
    ("smooth", {"d": 3, "features": 20, "validation": 500}),
    ("zipf-keys", {"keys": 50}),
)


def drawn(of: Task, batch: int = 512, seed=(0, 1)):
    """A batch as the engine draws it: arrays in the graph, one compiled function."""
    import tensorflow as tf

    arrays = {name: tf.constant(value) for name, value in of.train.items()}
    x, y = tf.function(lambda at: of.draw(arrays, at, batch), jit_compile=True)(tf.constant(seed, tf.int32))
    return x.numpy(), y.numpy()


@contextlib.contextmanager
def refused(says: str):
    """What is inside raises a ValueError of one sentence that says this."""
    with pytest.raises(ValueError, match=re.escape(says)) as error:
        yield
    message = str(error.value)
    assert message.endswith(".") and "\n" not in message and len(message) < 300, message


# --- the contract ---------------------------------------------------------------------------------


def test_every_task_but_the_downloaded_one_is_tried_here():
    assert {name for name, _ in OFFLINE} | {"fashion-mnist"} == set(TASKS)


@pytest.mark.parametrize(("name", "options"), OFFLINE)
def test_a_task_keeps_its_contract(name, options):
    found = task(name, **options)
    x, y, weights = found.validation
    batch_x, batch_y = drawn(found, 16)
    sequence = found.tokens_per_sample > 1
    for inputs, targets, number in ((x, y, len(x)), (batch_x, batch_y, 16)):
        assert inputs.shape == (number, *found.inputs)
        assert targets.shape == (inputs.shape if sequence else (number,))
        assert inputs.dtype == (np.int32 if found.vocabulary else np.float32)
        assert targets.dtype == (np.int32 if found.loss == "cross_entropy" else np.float32)
        if found.vocabulary:
            assert inputs.min() >= 0 and inputs.max() < found.vocabulary
        if found.loss == "cross_entropy":
            assert targets.min() >= 0 and targets.max() < found.outputs
        else:
            assert found.outputs == 1
    if weights is not None:
        assert weights.shape == y.shape and weights.min() >= 0
        assert math.isclose(weights.sum(), 1)
    assert len(found.sha256) == 64 and int(found.sha256, 16)
    assert (found.floor is None) == (name in ("characters", "bytes", "digits", "mnist1d"))


@pytest.mark.parametrize(("name", "options"), OFFLINE)
def test_batches_depend_on_the_seed_alone(name, options):
    found = task(name, **options)
    first, again, other, step = (drawn(found, 64, seed) for seed in ((3, 5), (3, 5), (4, 5), (3, 6)))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0]) and not np.array_equal(first[0], step[0])


def test_a_task_is_built_once():
    assert task("bytes") is task("bytes")
    assert task("bytes") is not task("bytes", samples=10)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: task("poems"), "characters"),
        (lambda: task("bytes", sample=3), "samples"),
        (lambda: task("bytes", samples=[1]), "list"),
        (lambda: task("bytes", samples=0), "at least 1"),
        (lambda: task("bytes", samples=10**9), "training samples"),
        (lambda: task("digits", samples=1258), "1,257"),
        (lambda: task("mnist1d", samples=2.5), "whole number"),
        (lambda: task("mnist1d", seed=-1), "seed"),
        (lambda: task("least-squares", d=0), "d must"),
        (lambda: task("least-squares", sigma=-1), "sigma"),
        (lambda: task("least-squares", sigma=math.nan), "sigma"),
        (lambda: task("logistic", signal=0), "signal"),
        (lambda: task("smooth", frequency=-1), "frequency"),
        (lambda: task("zipf-keys", noise=1), "noise"),
        (lambda: task("zipf-keys", tokens=1), "tokens"),
        (lambda: task("zipf-keys", alpha=0), "alpha"),
    ],
)
def test_bad_input_gets_one_sentence(call, says):
    with refused(says):
        call()


def test_tensorflow_is_not_imported_before_it_is_needed():
    code = "import sys; from course.data import task; task('bytes'); assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- text -----------------------------------------------------------------------------------------


@given(st.text())
def test_every_character_has_an_id(written):
    ids = text.encode(written.encode())
    assert ids.dtype == np.uint8 and len(ids) == len(written)
    assert text.decode(ids) == "".join(c if c in text.ALPHABET else "\N{REPLACEMENT CHARACTER}" for c in written)


def test_the_alphabet_is_sorted_and_the_same_everywhere():
    assert len(text.ALPHABET) == 97 and sorted(text.ALPHABET) == list(text.ALPHABET)
    assert task("characters").vocabulary == 98


def _files(number, lines=400):
    """Files whose every line says which file it is of."""
    return [(f"package/module_{i}.py", f"line of {i}\n".encode() * lines) for i in range(number)]


@pytest.fixture
def sources(monkeypatch):
    """Puts files in the place of the standard library's."""

    def put(files):
        monkeypatch.setattr(text, "_sources", lambda: iter(files))
        return text._standard_library.__wrapped__()

    return put


def test_no_file_is_in_both_parts(sources):
    files = _files(60)
    train, validation, _ = sources(files)
    parts = [set(part.splitlines()) - {b""} for part in (train, validation)]
    assert not parts[0] & parts[1]
    assert len(parts[0] | parts[1]) == 60 and len(parts[1]) == 3


def test_the_hash_and_the_split_do_not_depend_on_the_order_of_the_files(sources):
    assert sources(_files(40)) == sources(_files(40)[::-1])


def test_the_hash_is_of_paths_and_contents(sources):
    files = _files(40)
    hashes = {sources(files)[2]}
    hashes.add(sources([(path, content + b"#") for path, content in files])[2])
    hashes.add(sources([("other/" + path, content) for path, content in files])[2])
    assert len(hashes) == 3


def test_python_without_its_sources_is_one_sentence(sources):
    with refused("file"):
        sources([])


def test_the_standard_library_is_large_and_without_tests_or_what_a_machine_adds():
    train, validation, _ = text._standard_library()
    assert len(train) > 5_000_000
    assert 0.03 < len(validation) / (len(train) + len(validation)) < 0.06
    paths = [path for path, _ in text._sources()]
    assert "argparse.py" in paths
    assert not [path for path in paths if re.search(r"\btests?/|-packages/|sysconfigdata", path)]


@pytest.mark.parametrize("name", ["characters", "bytes"])
def test_a_window_and_its_target_stand_in_the_text(name):
    found = task(name)
    running = found.train["text"].tobytes()
    x, y = drawn(found, 20)
    for window, target in zip(x, y, strict=True):
        whole = np.append(window, target if name == "characters" else target[-1]).astype(np.uint8)
        assert whole.tobytes() in running
        if name == "bytes":
            assert np.array_equal(window[1:], target[:-1])


def test_windows_begin_everywhere_in_a_short_text():
    found = task("characters", samples=20)
    assert found.samples == 20 and len(found.train["text"]) == 28
    windows = {tuple(row) for row in drawn(found, 4096)[0]}
    every = np.lib.stride_tricks.sliding_window_view(found.train["text"][:-1], 8)
    assert windows == {tuple(row) for row in every.tolist()}


def test_samples_hold_as_many_different_targets_as_they_say():
    found = task("bytes", samples=7)
    assert found.samples * found.tokens_per_sample == len(found.train["text"]) - 1
    assert np.array_equal(found.validation[0], task("bytes").validation[0])


def test_validation_windows_spread_over_the_whole_validation_text():
    _, validation, _ = text._standard_library()
    x, y, _ = task("bytes").validation
    assert x[0].tolist() == list(validation[:64]) and y[-1].tolist() == list(validation[-64:])
    assert len(x) == 512 and len(task("characters").validation[0]) == 16_384


# --- any text file --------------------------------------------------------------------------------

LINES = "".join(f"Line {i} of a small text, é.\n" for i in range(400))


def test_a_file_is_split_at_a_line(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text(LINES, encoding="utf-8")
    found = task("bytes", file=str(path))
    train = found.train["text"].tobytes()
    assert LINES.encode().startswith(train) and train.endswith(b"\n")
    assert 0.9 < len(train) / len(LINES.encode()) <= 0.95
    assert found.sha256 == task("characters", file=path).sha256 != task("bytes").sha256
    assert text._OTHER in task("characters", file=path).train["text"]  # the accented letter, one character


def test_line_ends_of_another_system_make_no_difference(tmp_path):
    hashes = set()
    for i, newline in enumerate(("\n", "\r\n")):
        path = tmp_path / f"{i}.txt"
        path.write_bytes(LINES.replace("\n", newline).encode())
        hashes.add(task("bytes", file=str(path)).sha256)
    assert len(hashes) == 1


def test_a_changed_file_is_read_again(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text(LINES)
    before = task("bytes", file=str(path))
    assert task("bytes", file=str(path)) is before
    path.write_text(LINES + "more\n")
    assert task("bytes", file=str(path)).sha256 != before.sha256


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        (b"", "0 bytes"),
        (b"a line\n" * 100, "4,096"),
        (b"\0\1\2" * 4000, "UTF-8"),
        ("é\n".encode("latin-1") * 4000, "UTF-8"),
    ],
)
def test_a_file_that_cannot_be_learned_from_gets_one_sentence(tmp_path, content, says):
    path = tmp_path / "given.txt"
    if content is not None:
        path.write_bytes(content)
    with refused(says):
        task("bytes", file=str(path))


@pytest.mark.parametrize("file", ["", 3.5, "a\0b"])
def test_what_is_no_path_gets_one_sentence(file, tmp_path):
    for given_file in (file, str(tmp_path)):
        with refused("cannot be read"):
            task("characters", file=given_file)


def test_a_validation_text_shorter_than_a_window_is_refused(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text(LINES)
    with refused("window"):
        task("bytes", file=str(path), length=2000)


# --- images ---------------------------------------------------------------------------------------


def test_digits_are_those_of_the_table():
    from course.data import tabular

    split, found = tabular.digits(), task("digits")
    assert np.array_equal(found.validation[1], split.y_test)
    assert np.array_equal(found.train["x"].reshape(-1, 64), split.X_train)
    assert abs(drawn(found)[0].mean()) < 0.1 and abs(drawn(found)[0].std() - 1) < 0.1


def test_fewer_samples_are_the_first_ones():
    few = task("digits", samples=10)
    assert np.array_equal(few.train["x"], task("digits").train["x"][:10])
    assert np.array_equal(few.validation[0], task("digits").validation[0])
    assert set(np.unique(drawn(few, 400)[0].reshape(400, -1), axis=0).shape) == {10, 64}


@settings(max_examples=10)
@given(st.integers(1, 2500), st.integers(0, 3))
def test_more_signals_begin_with_the_fewer(number, seed):
    x, y = images.mnist1d(number, seed)
    more_x, more_y = images.mnist1d(2600, seed)
    assert x.shape == (number, 40) and x.dtype == np.float32
    assert np.array_equal(x, more_x[:number]) and np.array_equal(y, more_y[:number])
    assert not np.array_equal(x, images.mnist1d(number, seed + 1)[0])


def test_signals_are_as_hard_as_published():
    """A linear model reaches about .32 (Greydanus and Kobak 2024, table 1)."""
    from sklearn.linear_model import LogisticRegression

    found = task("mnist1d")
    x = (found.train["x"][:4000] - found.train["x"].mean()) / found.train["x"].std()
    assert abs(x.std() - drawn(found, 4096)[0].std()) < 0.05
    fitted = LogisticRegression(tol=0.01).fit(x, found.train["y"][:4000])
    assert 0.26 < fitted.score(found.validation[0], found.validation[1]) < 0.38
    assert np.abs(np.bincount(found.train["y"]) / 5000 - 0.1).max() < 0.02


def test_fashion_mnist_without_a_connection_is_one_sentence(monkeypatch):
    import keras

    def refuse():
        raise OSError("Network is unreachable")

    monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", refuse)
    with refused("mnist1d"):
        TASKS["fashion-mnist"]()


def test_fashion_mnist_with_a_connection(monkeypatch):
    import keras

    rng = np.random.default_rng(0)
    parts = [(rng.integers(0, 256, (n, 28, 28), np.uint8), rng.integers(0, 10, n, np.uint8)) for n in (30, 20)]
    monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", lambda: parts)
    found = TASKS["fashion-mnist"](samples=12)
    assert found.inputs == (28, 28, 1) and found.samples == 12 and len(found.validation[0]) == 20
    assert drawn(found, 8)[0].shape == (8, 28, 28, 1)


# --- tasks whose law is known ---------------------------------------------------------------------


def cross_entropy(logits, y, weights):
    """Weighted mean of the loss in nats."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -(weights * log_p[np.arange(len(y)), y]).sum()


@settings(max_examples=25)
@given(st.integers(1, 12), st.floats(0, 3), st.integers(0, 10**6))
def test_least_squares_validation_is_the_expected_loss_of_any_linear_model(d, sigma, seed):
    found = task("least-squares", d=d, sigma=sigma)
    w = synthetic_tasks._direction(d, 0)
    rng = np.random.default_rng(seed)
    v, b = rng.standard_normal(d), rng.standard_normal()
    x, y, _ = found.validation
    loss = np.mean((x.astype(float) @ v + b - y) ** 2)
    assert math.isclose(loss, found.floor + ((v - w) ** 2).sum() + b**2, rel_tol=1e-5)
    assert math.isclose(np.mean((x.astype(float) @ w - y) ** 2), found.floor, rel_tol=1e-5, abs_tol=1e-9)


def test_least_squares_batches_follow_the_law_of_the_validation():
    found = task("least-squares", d=5)
    x, y = drawn(found, 40_000)
    w, squares, *_ = np.linalg.lstsq(x.astype(float), y.astype(float), rcond=None)
    assert np.abs(w - synthetic_tasks._direction(5, 0)).max() < 0.015
    assert abs(squares[0] / 40_000 / found.floor - 1) < 0.03


@pytest.mark.parametrize("d", [1, 2, 16])
@pytest.mark.parametrize("signal", [0.5, 2.0, 4.0])
def test_the_true_logistic_model_has_the_floor_as_its_loss(d, signal):
    found = task("logistic", d=d, signal=signal)
    x, y, weights = found.validation
    logit = x.astype(float) @ (signal * synthetic_tasks._direction(d, 0))
    assert math.isclose(
        cross_entropy(np.stack([0 * logit, logit], 1), y, weights), found.floor, abs_tol=1e-4 if signal > 3 else 2e-6
    )


def test_the_excess_of_a_nearby_logistic_model_is_its_expected_one():
    """Half of delta' H delta, H = E[p (1 - p) x x'], from a million samples."""
    found = task("logistic", d=4)
    w = 2 * synthetic_tasks._direction(4, 0)
    x, y, weights = found.validation
    rng = np.random.default_rng(0)
    delta = 0.05 * rng.standard_normal(4)
    logit = x.astype(float) @ (w + delta)
    excess = cross_entropy(np.stack([0 * logit, logit], 1), y, weights) - found.floor
    samples = rng.standard_normal((1_000_000, 4))
    p = 1 / (1 + np.exp(-samples @ w))
    assert math.isclose(excess, 0.5 * np.mean(p * (1 - p) * (samples @ delta) ** 2), rel_tol=0.03)


def test_logistic_batches_have_the_probabilities_they_should():
    found = task("logistic", d=4)
    x, y = drawn(found, 60_000)
    logit = 2 * x.astype(float) @ synthetic_tasks._direction(4, 0)
    p = 1 / (1 + np.exp(-logit))
    for low, high in ((-9, -2), (-2, -0.5), (-0.5, 0.5), (0.5, 2), (2, 9)):
        here = (logit > low) & (logit <= high)
        assert abs((y - p)[here].sum()) < 4 * np.sqrt((p * (1 - p))[here].sum())


@settings(max_examples=10)
@given(st.integers(1, 8), st.integers(0, 100))
def test_the_smooth_function_has_mean_0_and_variance_1(d, seed):
    omega, phase, amplitude, mean = synthetic_tasks._sines(d, 64, 1.5, seed)
    x = np.random.default_rng(seed).uniform(-1, 1, (100_000, d))
    y = np.sin(x @ omega.T + phase) @ amplitude - mean
    assert abs(y.mean()) < 0.02 and abs(y.var() - 1) < 0.04


def test_smooth_batches_and_validation_are_of_one_function():
    found = task("smooth", d=3)
    assert found.name == "smooth-3" and found.floor == 0
    omega, phase, amplitude, mean = synthetic_tasks._sines(3, 256, 1.5, 0)
    for x, y in (drawn(found), found.validation[:2]):
        assert np.abs(np.sin(x.astype(float) @ omega.T + phase) @ amplitude - mean - y).max() < 1e-4
        assert x.min() >= -1 and x.max() <= 1


@given(st.integers(1, 2000), st.floats(0.1, 2))
def test_zipf_probabilities_are_a_falling_distribution(keys, alpha):
    share = synthetic_tasks.zipf_probabilities(keys, alpha)
    assert math.isclose(share.sum(), 1) and (share > 0).all() and (np.diff(share) < 0).all()


def test_zipf_probabilities_are_zipfs_law():
    share = synthetic_tasks.zipf_probabilities(10_000, 0.5)
    slope = np.diff(np.log(share[99::900])) / np.diff(np.log(np.arange(100, 10_001, 900)))
    assert np.abs(slope + 1.5).max() < 0.01


def test_who_knows_every_key_has_the_floor_as_loss_and_who_knows_none_the_entropy_of_the_tokens():
    found = task("zipf-keys")
    assert round(found.floor, 4) == 0.5650
    _, y, weights = found.validation
    own = np.repeat(found.train["own"], 16)
    likely = np.where(y == own, 0.9 + 0.1 / 16, 0.1 / 16)
    assert math.isclose(-(weights * np.log(likely)).sum(), found.floor, rel_tol=1e-9)
    marginal = np.bincount(y, weights, 16)
    assert 2 < -(marginal * np.log(marginal)).sum() < math.log(16)


def test_zipf_batches_have_the_probabilities_of_the_validation():
    found = task("zipf-keys", keys=30, tokens=4, d=2)
    x, y = drawn(found, 100_000)
    key = {tuple(code): k for k, code in enumerate(found.train["codes"].tolist())}
    pairs = np.array([key[tuple(row)] for row in x.tolist()]) * 4 + y
    expected = found.validation[2] * len(x)
    assert (expected > 5).all()
    chi2 = ((np.bincount(pairs, minlength=120) - expected) ** 2 / expected).sum()
    assert chi2 < 119 + 5 * math.sqrt(2 * 119)


def test_the_hash_of_a_generator_is_of_its_settings():
    assert task("smooth", d=4).sha256 != task("smooth", d=5).sha256
    assert TASKS["smooth"](d=4).sha256 == task("smooth", d=4).sha256
