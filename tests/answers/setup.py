"""Right answers to the exercises of lesson 5.1, written differently from the package's own."""


def flops_by_counting(m, k, n):
    if m * k * n > 10_000:  # counting one by one would take too long
        return sum(2 * k * n for _ in range(m))
    operations = 0
    for _ in range(m):
        for _ in range(n):
            for _ in range(k):
                operations += 2
    return operations


def flops_tensors(m, k, n):
    import tensorflow as tf

    return 2 * tf.reduce_prod(tf.constant([m, k, n], dtype=tf.int64))


def rate_in_steps(n, seconds):
    flops = n * n * (n + n)
    return flops / 1e9 / seconds


def rate_tensors(n, seconds):
    import tensorflow as tf

    return 2e-9 * tf.pow(tf.constant(n, tf.float64), 3.0) / seconds


def days_in_steps(flops, gflops):
    seconds = flops / gflops / 1e9
    hours = seconds / 3600
    return hours / 24


def days_tensors(flops, gflops):
    import tensorflow as tf

    return tf.constant(flops, tf.float64) / (tf.constant(gflops, tf.float64) * 86_400e9)


PLAN = """
My machine does 120 GFLOP/s at size 1024. I expect a quarter of it in training, 30 GFLOP/s. One evening of 3 hours
pays for 3.2e14 FLOPs. I split it over 10 runs, so each takes 18 minutes. First I time a single run of one minute, and
halve the number of runs if the rate is below 15 GFLOP/s.
"""

RIGHT = {
    "5.1.1": [flops_by_counting, flops_tensors],
    "5.1.2": [rate_in_steps, rate_tensors],
    "5.1.3": [[4, 4]],
    "5.1.4": [days_in_steps, days_tensors],
    "5.1.5": [PLAN],
}

# A text's mistakes are predicates: for each, a text that makes it.
WRONG = {
    "5.1.5": {
        "no number": "I count on a tenth of the rate that I measured, and split the FLOPs over runs of minutes. " * 3,
        "no work": "I count on 45 units of the rate and split 8 hours over 20 runs, which is 24 minutes each. " * 3,
        "no time": "I count on 45 GFLOP/s, a tenth of the rate, 1.3e15 FLOPs in all, which I split over 20 runs. " * 3,
    },
}
