"""Right answers to the exercises of lesson 5.2, written differently."""

from __future__ import annotations

import math

import numpy as np


def columns_numpy(X, y):
    return np.asarray(X, "float32"), np.expand_dims(np.asarray(y, "float32"), 1)


def columns_tensors(X, y):
    import tensorflow as tf

    return tf.cast(X, tf.float32), tf.reshape(tf.cast(y, tf.float32), [-1, 1])


def columns_loop(X, y):
    return np.array([list(row) for row in X], "float32"), np.array([[label] for label in y], "float32")


def accuracy_loop(logits, y):
    right = 0
    for z, label in zip(logits[:, 0], y, strict=True):
        right += int((z > 0) == (label == 1))
    return right / len(y)


def accuracy_tensors(logits, y):
    import tensorflow as tf

    guess = tf.round(tf.sigmoid(logits))
    return tf.reduce_mean(tf.cast(tf.equal(guess, tf.cast(y, tf.float32)[:, tf.newaxis]), tf.float32))


def accuracy_probabilities(logits, y):
    p = 1 / (1 + np.exp(-logits.ravel()))
    return np.count_nonzero((p >= 0.5) == y.astype(bool)) / y.size


def step_assign(w, b, X, y, learning_rate):
    import tensorflow as tf

    w, b = tf.Variable(w), tf.Variable(b)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=X @ w + b))
    for variable, gradient in zip([w, b], tape.gradient(loss, [w, b]), strict=True):
        variable.assign_sub(learning_rate * gradient)
    return w, b


def step_keras(w, b, X, y, learning_rate):
    import tensorflow as tf

    w, b = tf.Variable(w), tf.Variable(b)
    loss_function = tf.keras.losses.BinaryCrossentropy(from_logits=True)
    with tf.GradientTape() as tape:
        loss = loss_function(y, tf.matmul(X, w) + b)
    gradients = tape.gradient(loss, [w, b])
    tf.keras.optimizers.SGD(learning_rate).apply_gradients(zip(gradients, [w, b], strict=True))
    return w.numpy(), b.numpy()


def step_by_hand(w, b, X, y, learning_rate):
    difference = 1 / (1 + np.exp(-(X @ w + b))) - y
    return w - learning_rate * X.T @ difference / len(X), b - learning_rate * difference.mean(axis=0)


def luck_exact(correct, n):
    return sum(math.comb(n, k) for k in range(correct, n + 1)) / 2**n


def luck_mass(correct, n):
    from scipy.stats import binom

    return binom.pmf(np.arange(correct, n + 1), n, 0.5).sum()


def luck_by_symmetry(correct, n):
    from scipy.stats import binom

    return binom.cdf(n - correct, n, 0.5)


def needed_two(difference):
    return math.ceil((2 * 0.5 / difference) ** 2)


def needed_loop(difference):
    n = 1
    while 1.96 * 0.5 / math.sqrt(n) > difference:
        n += 1
    return n


def scaling_sklearn(X_train, X_test):
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(X_train)
    return scaler.transform(X_train), scaler.transform(X_test)


def scaling_unbiased_loop(X_train, X_test):
    train, test = X_train.astype(float), X_test.astype(float)
    for j in range(train.shape[1]):
        mean, deviation = X_train[:, j].mean(), X_train[:, j].std(ddof=1) or 1.0
        train[:, j], test[:, j] = (
            (train[:, j] - mean) / deviation,
            (test[:, j] - mean) / deviation,
        )
    return train, test


def scaling_tensors(X_train, X_test):
    import tensorflow as tf

    mean, variance = tf.nn.moments(tf.constant(X_train), axes=[0])
    deviation = tf.where(variance == 0, tf.ones_like(variance), tf.sqrt(variance))
    return (X_train - mean) / deviation, (X_test - mean) / deviation


ARGUMENT = """The labels may not have been coin flips in the run that was reported. Train again on shuffled labels:
if the score stays, it never came from the labels; if it falls to one half, there was a signal in them."""

RIGHT = {
    "5.2.1": [columns_numpy, columns_tensors, columns_loop],
    "5.2.2": [0.6**2 + 0.4**2, np.float32(0.52)],
    "5.2.3": [accuracy_loop, accuracy_tensors, accuracy_probabilities],
    "5.2.4": [step_assign, step_keras, step_by_hand],
    "5.2.5": [luck_exact, luck_mass, luck_by_symmetry],
    "5.2.6": [needed_two, needed_loop],
    "5.2.7": [11 * (1 + 1 / 0.7083), 26.53],
    "5.2.8": [scaling_sklearn, scaling_unbiased_loop, scaling_tensors],
    "5.2.9": [ARGUMENT],
}

# A text's mistakes are predicates: for each, a text that makes it.
WRONG = {
    "5.2.9": {
        "luck": "They were simply very lucky that day. With luck anything may come out of a program like this one, and "
        "the next person who runs it would perhaps be a little less lucky, which is all that can be said about it.",
    },
}
