"""The laws: exact on exact data, the published optima on the published points, honest intervals, one sentence for bad input."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course import laws
from course.laws import FORMULAS, curves, published, robust, surfaces


def number(low, high):
    return st.floats(low, high, allow_nan=False)


def grid(sizes=6, amounts=7):
    n, d = np.meshgrid(np.logspace(3.5, 6, sizes), np.logspace(5, 8.5, amounts))
    return n.ravel(), d.ravel()


TRUE = {"E": 1.5, "A": 30.0, "B": 200.0, "alpha": 0.4, "beta": 0.45}


def surface(n, d, noise=0.0, seed=0, p=TRUE):
    loss = np.exp(FORMULAS["chinchilla"].log(p, n, d))
    return loss * np.exp(noise * np.random.default_rng(seed).standard_normal(len(n)))


def published_file(name):
    folder = os.environ.get("COURSE_DATA", "")
    path = Path(folder) / name
    if not folder or not path.is_file():
        pytest.skip(f"{name} is not here; COURSE_DATA names the folder of the published data")
    return pd.read_csv(path)


@pytest.fixture(scope="module")
def epoch_all():
    """Epoch's 245 points in the order of the file."""
    table = published_file("epoch_svg_extracted_data.csv")
    n = table["Model Size"].to_numpy()
    return pd.DataFrame(
        {"n_params": n, "tokens": table["Training FLOP"].to_numpy() / (6 * n), "loss": table["loss"].to_numpy()}
    )


def drop(table, largest):
    return table.drop(table["loss"].nlargest(largest).index)


@pytest.fixture(scope="module")
def epoch(epoch_all):
    """The 240 points that are fitted: without the five largest losses."""
    return drop(epoch_all, 5)


# --- exact data -----------------------------------------------------------------------------------


@settings(max_examples=12)
@given(E=number(0.2, 3), at_n=number(0.05, 2), at_d=number(0.05, 2), alpha=number(0.15, 0.9), beta=number(0.15, 0.9))
def test_chinchilla_recovers_any_surface_without_noise(E, at_n, at_d, alpha, beta):
    n, d = grid()
    true = {"E": E, "A": at_n * 1e5**alpha, "B": at_d * 1e7**beta, "alpha": alpha, "beta": beta}
    found = laws.fit_chinchilla(n, d, surface(n, d, p=true))
    for name, value in true.items():
        assert found.params[name] == pytest.approx(value, rel=1e-5)
    assert found.params["a"] == pytest.approx(beta / (alpha + beta))
    assert found.params["a"] + found.params["b"] == pytest.approx(1)


@settings(max_examples=10)
@given(ratio=number(0.5, 2), alpha_D=number(0.05, 0.3), size=number(0.3, 3), data=number(0.3, 3))
def test_kaplan_recovers_any_surface_without_noise(ratio, alpha_D, size, data):
    n, d = grid()
    true = {"N_c": 6e4 * size, "D_c": 6e6 * data, "alpha_N": ratio * alpha_D, "alpha_D": alpha_D}
    found = laws.fit_kaplan(n, d, np.exp(FORMULAS["kaplan"].log(true, n, d)))
    assert found.params == pytest.approx(true, rel=1e-4)


@settings(max_examples=10)
@given(E=number(0, 1), A=number(0.5, 50), alpha=number(0.1, 1.2))
def test_power_laws_are_recovered_with_and_without_floor(E, A, alpha):
    x = np.logspace(2, 5, 10)
    line = laws.fit_power(x, A * x**-alpha)
    assert line.params == pytest.approx({"A": A, "alpha": alpha})
    y = E + A * x**-alpha
    bent = laws.fit_power_floor(x, y)
    np.testing.assert_allclose(bent.predict(x=x), y, rtol=1e-6)
    if E == 0 or E > 0.01:
        assert bent.params["alpha"] == pytest.approx(alpha, rel=1e-3)


def test_a_rising_power_law_has_a_negative_exponent():
    x = np.logspace(10, 14, 6)
    assert laws.fit_power(x, 0.1 * x**0.5).params["alpha"] == pytest.approx(-0.5)


def test_broken_finds_both_exponents_and_the_break():
    x = np.logspace(2, 6, 16)
    true = {"E": 0.05, "A": 5.0, "alpha": 0.2, "alpha2": 0.7, "x_break": 5e3, "sharpness": 0.3}
    found = laws.fit_broken(x, np.exp(FORMULAS["broken"].log(true, x)))
    assert found.params == pytest.approx(true, rel=1e-3)


def test_the_models_derivatives_are_those_of_finite_differences():
    n, d = grid(4, 4)
    loss = surface(n, d, 0.1)
    x = np.logspace(2, 5, 9)
    rng = np.random.default_rng(0)
    for problem in (
        surfaces.chinchilla_problem(n, d, loss),
        surfaces.kaplan_problem(n, d, loss),
        curves.power_problem(x, x**-0.3),
        curves.floor_problem(x, 0.1 + x**-0.3),
        curves.broken_problem(x, 0.1 + x**-0.3),
    ):
        theta = problem.starts(rng, 3)
        value, slopes, curvature = problem.model(theta)
        weights = rng.standard_normal(value.shape)
        for k in range(theta.shape[1]):
            step = np.zeros(theta.shape[1])
            step[k] = 1e-6
            up, down = problem.model(theta + step), problem.model(theta - step)
            np.testing.assert_allclose(slopes[:, k], (up[0] - down[0]) / 2e-6, atol=1e-5, rtol=1e-4)
            if curvature is not None:
                second = np.einsum("sn,spn->sp", weights, (up[1] - down[1]) / 2e-6)
                np.testing.assert_allclose(curvature(weights)[:, k], second, atol=1e-4, rtol=1e-4)


def test_starts_with_given_exponents_have_the_best_non_negative_coefficients():
    from scipy.optimize import nnls

    from course.laws.fitting import nonnegative

    rng = np.random.default_rng(0)
    columns = rng.standard_normal((200, 3, 8)) + 0.3
    expected = np.array([nnls(one.T, np.ones(8))[0] for one in columns])
    np.testing.assert_allclose(nonnegative(columns), expected, atol=1e-8)


# --- what must not matter -------------------------------------------------------------------------


@settings(max_examples=4)
@given(scale=number(1e-4, 1e4), seed=st.integers(0, 5))
def test_units_rows_and_copies_do_not_matter(scale, seed):
    n, d = grid()
    loss = surface(n, d, 0.01, seed)
    plain = laws.fit_chinchilla(n, d, loss)
    in_units = laws.fit_chinchilla(n * scale, d, loss).params
    for name in ("E", "alpha", "beta", "B"):
        assert in_units[name] == pytest.approx(plain.params[name], rel=1e-5)
    assert in_units["A"] == pytest.approx(plain.params["A"] * scale ** plain.params["alpha"], rel=1e-5)
    order = np.random.default_rng(seed).permutation(len(n))
    shuffled = laws.fit_chinchilla(n[order], d[order], loss[order])
    assert shuffled.params == pytest.approx(plain.params, rel=1e-6)
    np.testing.assert_allclose(shuffled.residuals, plain.residuals[order], atol=1e-8)
    twice = laws.fit_chinchilla(np.tile(n, 2), np.tile(d, 2), np.tile(loss, 2))
    assert twice.params == pytest.approx(plain.params, rel=1e-6)
    assert twice.objective == pytest.approx(2 * plain.objective)


def test_the_seed_of_the_starts_does_not_matter():
    n, d = grid()
    loss = surface(n, d, 0.01)
    first, *others = [laws.fit_chinchilla(n, d, loss, seed=seed) for seed in range(5)]
    for other in others:
        assert other.params == pytest.approx(first.params, rel=1e-6)


def test_counts_are_the_same_as_repeated_rows():
    n, d = grid(5, 4)
    loss = surface(n, d, 0.01)
    counts = np.random.default_rng(0).multinomial(20, np.full(20, 1 / 20), size=3)
    drawn = laws.fit_chinchilla(n, d, loss, bootstrap=counts)
    problem = surfaces.chinchilla_problem(n, d, loss)
    start = problem.starts(np.random.default_rng(1), 30)
    for row in counts:
        rows = np.repeat(np.arange(20), row)
        fits = robust.minimise(
            surfaces.chinchilla_problem(n[rows], d[rows], loss[rows]).model, np.log(loss[rows]), start
        )
        weighted = robust.minimise(problem.model, problem.y, start, weights=row[None].astype(float))
        assert weighted.objective.min() == pytest.approx(fits.objective.min(), rel=1e-6)
    assert len(drawn.samples["alpha"]) == 3


# --- the published optima -------------------------------------------------------------------------


def test_every_seed_reaches_the_optimum_of_epochs_points(epoch):
    for seed in range(20):
        found = laws.fit("chinchilla", epoch, seed=seed)
        assert found.params["alpha"] == pytest.approx(0.3473, abs=5e-4)
        assert found.params["beta"] == pytest.approx(0.3672, abs=5e-4)
        assert found.objective == pytest.approx(0.00101827403, rel=1e-6)
        assert found.starts_at_optimum > 0.8
    assert found.params["A"] == pytest.approx(477.8, abs=0.1)
    assert found.params["B"] == pytest.approx(2143.4, abs=0.1)
    assert found.params["E"] == pytest.approx(1.8172, abs=1e-4)


def test_no_better_optimum_is_found_by_scipy_from_there(epoch):
    from scipy.optimize import minimize

    found = laws.fit("chinchilla", epoch)
    problem = surfaces.chinchilla_problem(*(epoch[name].to_numpy() for name in ("n_params", "tokens", "loss")))
    start = problem.starts(np.random.default_rng(0), 1)
    at = robust.minimise(problem.model, problem.y, start).theta[0]
    polished = minimize(
        lambda theta: 1e3 * robust.huber(problem.model(theta[None])[0][0] - problem.y, 1e-3).sum(),
        at + 0.01,
        method="Nelder-Mead",
        options={"maxiter": 4000, "maxfev": 4000, "xatol": 1e-9, "fatol": 1e-12},
    )
    assert polished.fun / 1e3 >= found.objective - 1e-10


def test_the_published_bootstrap_is_repeated(epoch):
    """Besiroglu et al.: seed 42, 4,000 draws with replacement. Their standard errors, within 5 %."""
    rows = np.random.RandomState(42).choice(240, size=(4000, 240))
    counts = np.stack([np.bincount(row, minlength=240) for row in rows])
    found = laws.fit("chinchilla", epoch, bootstrap=counts)
    for name, error in {"A": 124.5, "B": 1293.3, "E": 0.0257, "alpha": 0.0154, "beta": 0.0206, "a": 0.020}.items():
        assert found.standard_error[name] == pytest.approx(error, rel=0.05)
    assert found.interval["A"] == pytest.approx((286, 744), rel=0.03)
    assert found.interval["a"] == pytest.approx((0.480, 0.556), abs=0.003)


@pytest.mark.parametrize(("largest", "a"), [(0, 0.565), (5, 0.514), (10, 0.509), (20, 0.484)])
def test_the_outliers_that_are_dropped_move_a(epoch_all, largest, a):
    assert laws.fit("chinchilla", drop(epoch_all, largest)).params["a"] == pytest.approx(a, abs=6e-4)


@pytest.mark.parametrize(
    ("delta", "alpha", "beta"), [(1e-3, 0.347, 0.367), (1e-2, 0.354, 0.382), (0.1, 0.360, 0.406), (1.0, 0.360, 0.406)]
)
def test_delta_moves_the_exponents(epoch, delta, alpha, beta):
    found = laws.fit("chinchilla", epoch, delta=delta).params
    assert (found["alpha"], found["beta"]) == pytest.approx((alpha, beta), abs=6e-4)


def test_a_mean_for_a_sum_stops_the_published_method_early(epoch):
    columns = [epoch[name] for name in ("n_params", "tokens", "loss")]
    starts = published.HOFFMANN_STARTS[np.random.default_rng(0).permutation(4500)[:80]]
    mean = laws.chinchilla_lbfgs(*columns, starts, reduction="mean")
    total = laws.chinchilla_lbfgs(*columns, starts, reduction="sum")
    assert len(published.HOFFMANN_STARTS) == 4500
    assert total.objective.min() < 1.001 * 0.00101827403
    assert mean.objective.min() > 1.01 * 0.00101827403
    assert mean.success.mean() > 0.9  # and yet the optimiser says that all is well
    assert 0 < total.starts_at_optimum < 0.5


@pytest.mark.parametrize(
    ("step", "a"),
    [
        (("base", "long", "kaplan", "kaplan", "train"), 0.835),
        (("base", "long", "kaplan", "standard", "val"), 0.706),
        (("base", "short", "kaplan", "standard", "val"), 0.602),
        (("base", "short", "chinchilla", "standard", "val"), 0.571),
        (("tuned", "short", "const", "standard", "val"), 0.497),
    ],
)
def test_porians_five_steps(step, a):
    table = published_file("porian_isoflop_points.csv").set_index(
        ["dataset", "hparams", "warmup", "decay", "param_count", "val"]
    )
    runs = table.sort_index().loc[("rw", *step)]
    found = laws.fit("isoflop", runs.rename(columns={"n": "n_params"}), method="akima")
    assert found.params["a"] == pytest.approx(a, abs=0.02)
    assert laws.fit("isoflop", runs.rename(columns={"n": "n_params"})).params["a"] == pytest.approx(a, abs=0.03)


# --- isoflop, envelope, and the best use of a budget ----------------------------------------------


def sweep(p=TRUE, sizes=9, budgets=5, noise=0.0, seed=0, seeds=1, shift=0.0):
    """Runs at equal compute around each budget's best size."""
    rows = []
    rng = np.random.default_rng(seed)
    for one in range(seeds):
        for flops in np.logspace(10, 13, budgets):
            best = (p["alpha"] * p["A"] / p["beta"] / p["B"]) ** (1 / (p["alpha"] + p["beta"]))
            best *= (flops / 6) ** (p["beta"] / (p["alpha"] + p["beta"]))
            n = best * np.exp(np.linspace(-1.5, 1.5, sizes) + shift)
            loss = np.exp(FORMULAS["chinchilla"].log(p, n, flops / 6 / n) + noise * rng.standard_normal(sizes))
            rows += [{"flops": flops, "n_params": a, "loss": b, "seed": one} for a, b in zip(n, loss, strict=True)]
    return pd.DataFrame(rows)


def test_isoflop_is_exact_where_both_exponents_are_equal_and_biased_where_not():
    even = {**TRUE, "beta": 0.4, "B": 30.0}
    assert laws.fit("isoflop", sweep(even)).params["a"] == pytest.approx(0.5, abs=1e-9)
    uneven = {**TRUE, "alpha": 0.2, "A": 6.0, "beta": 0.7, "B": 2e4}
    found = laws.fit("isoflop", sweep(uneven, shift=0.3))
    best = laws.compute_optimal(laws.fit_chinchilla(*grid(), surface(*grid(), p=uneven)), 1e12).n_params
    assert abs(laws.compute_optimal(found, 1e12).n_params / best - 1) > 0.01
    assert found.params["b"] == pytest.approx(1 - found.params["a"])


def test_the_interval_of_isoflop_holds_the_true_exponent():
    true = 0.45 / 0.85
    hits = 0
    for seed in range(40):
        low, high = laws.fit("isoflop", sweep(noise=0.004, seed=seed), bootstrap=200).interval["a"]
        hits += low <= true <= high
    assert hits >= 34


def test_seeds_are_resampled_whole():
    runs = sweep(noise=0.004, seeds=3)
    by_seed = laws.fit("isoflop", runs, bootstrap=200, bootstrap_by="seed")
    assert by_seed.interval["a"][0] < 0.45 / 0.85 < by_seed.interval["a"][1]
    n, d = grid()
    three = np.tile(n, 3), np.tile(d, 3)
    table = {
        "n_params": three[0],
        "tokens": three[1],
        "loss": surface(*three, 0.01),
        "seed": np.repeat([0, 1, 2], len(n)),
    }
    whole = laws.fit("chinchilla", table, bootstrap=200, bootstrap_by="seed")
    assert whole.interval["alpha"][0] < 0.4 < whole.interval["alpha"][1]
    assert any("whole seeds" in said for said in laws.fit("chinchilla", table, bootstrap=50).warnings)
    one = {name: values[: len(n)] for name, values in table.items()}
    assert any("share one seed" in said for said in laws.fit("chinchilla", one, bootstrap=50).warnings)
    with pytest.raises(ValueError, match="at least two seeds"):
        laws.fit("chinchilla", one, bootstrap=50, bootstrap_by="seed")


def test_an_optimum_at_the_edge_is_left_out_with_a_warning():
    runs = sweep(budgets=5)
    largest = runs["flops"].max()
    cut = runs[
        (runs["flops"] < largest) | (runs["n_params"] < runs["n_params"][runs["flops"] == largest].median() / 1.2)
    ]
    found = laws.fit("isoflop", cut)
    assert [one.edge for one in found.optima] == [False] * 4 + [True]
    assert any("edge" in said and "1e+13" in said for said in found.warnings)
    assert len(found.residuals) == 4


def test_flops_that_are_nearly_equal_are_one_budget():
    runs = sweep()
    runs["flops"] *= np.random.default_rng(0).uniform(0.97, 1.03, len(runs))
    assert len(laws.fit("isoflop", runs).optima) == 5
    rng = np.random.default_rng(0)
    spread = {"flops": np.logspace(10, 12, 60), "n_params": rng.uniform(1e3, 1e5, 60), "loss": rng.uniform(2, 3, 60)}
    with pytest.raises(ValueError, match="do not fall into budgets"):
        laws.fit("isoflop", spread)


def test_envelope_finds_the_exponent_of_the_surface():
    sizes, computes = np.logspace(3, 6.5, 15), np.logspace(9, 13, 40)
    n, c = (each.ravel() for each in np.meshgrid(sizes, computes))
    found = laws.fit("envelope", {"flops": c, "n_params": n, "loss": surface(n, c / 6 / n)}, bootstrap=100)
    assert found.params["a"] == pytest.approx(0.45 / 0.85, abs=0.02)
    assert found.interval["a"][0] < 0.45 / 0.85 < found.interval["a"][1]


@pytest.fixture(scope="module")
def both_surfaces():
    n, d = grid()
    return laws.fit_chinchilla(n, d, surface(n, d), starts=8), laws.fit_kaplan(n, d, surface(n, d), starts=8)


@settings(max_examples=25)
@given(flops=number(1e10, 1e25), k=number(2, 8))
def test_the_compute_optimal_split_is_a_minimum(both_surfaces, flops, k):
    for law in both_surfaces:
        best = laws.compute_optimal(law, flops, flops_per_param_token=k)
        assert best.n_params * best.tokens * k == pytest.approx(flops)
        for factor in (0.8, 1.25):
            other = law.predict(n_params=best.n_params * factor, tokens=best.tokens / factor)[0]
            assert best.loss <= other * (1 + 1e-12)


def test_published_constants_give_the_published_ratio():
    p = {"E": 1.8172, "A": 477.8258, "B": 2143.417, "alpha": 0.3473105, "beta": 0.3671724}
    law = laws.Fit("chinchilla", p, 0.0, 240, np.zeros(240))
    best = laws.compute_optimal(law, 5.88e23)
    assert best.tokens / best.n_params == pytest.approx(17.9, abs=0.05)


# --- intervals and warnings -----------------------------------------------------------------------


def test_95_per_cent_intervals_hold_the_truth_in_90_to_99_per_cent():
    """A small form of the table that tests/bench_fitting.py prints: 40 surfaces, so 90 % may come out as 80 %."""
    n, d = grid()
    hits = dict.fromkeys(TRUE, 0)
    for seed in range(40):
        found = laws.fit_chinchilla(n, d, surface(n, d, 0.01, seed), bootstrap=100, seed=seed, starts=8)
        for name, true in TRUE.items():
            hits[name] += found.interval[name][0] <= true <= found.interval[name][1]
    assert all(count >= 32 for count in hits.values()), hits


def test_predictions_hold_new_runs_and_the_law_s_interval_is_the_narrower():
    n, d = grid()
    found = laws.fit_chinchilla(n, d, surface(n, d, 0.01), bootstrap=300)
    far = {"n_params": np.array([1e6, 1e7]), "tokens": np.array([1e8, 1e9])}
    low, high = found.predict_interval(**far)
    tight_low, tight_high = found.predict_interval(**far, observation=False)
    assert (low < tight_low).all() and (tight_high < high).all()
    middle = found.predict(**far)
    assert (low < middle).all() and (middle < high).all()
    fresh = surface(n, d, 0.01, seed=1)
    low, high = found.predict_interval(n_params=n, tokens=d)
    assert np.mean((low < fresh) & (fresh < high)) > 0.85


def test_a_short_range_an_unknown_exponent_and_a_floor_at_0_are_said():
    x = np.linspace(100, 300, 8)
    rng = np.random.default_rng(0)
    short = laws.fit_power(x, x**-0.3 * np.exp(0.2 * rng.standard_normal(8)))
    assert any("decades" in said for said in short.warnings)
    assert any("alpha is not identified" in said for said in short.warnings)
    straight = laws.fit_power_floor(np.logspace(2, 5, 9), np.logspace(2, 5, 9) ** -0.3)
    assert straight.params["E"] == 0.0
    assert any("bound 0" in said for said in straight.warnings)


def test_residuals_that_keep_their_sign_are_said():
    x = np.logspace(2, 6, 20)
    bent = laws.fit_power(x, 0.2 + 5 * x**-0.5)
    assert any("keep their sign" in said for said in bent.warnings)
    straight = laws.fit_power(x, 5 * x**-0.5 * np.exp(0.01 * np.random.default_rng(1).standard_normal(20)))
    assert straight.warnings == ()


def test_a_shape_that_shows_only_along_compute_is_said():
    """Along n_params and along tokens each size has residuals of both signs; along their product they bend."""
    n, d = (axis.ravel() for axis in np.meshgrid(np.logspace(3.3, 5.5, 9), np.logspace(5, 8, 12)))
    c = np.log(n * d)
    bend = 0.03 * ((c - c.mean()) / np.ptp(c)) ** 2 * 4
    said = laws.fit_chinchilla(n, d, surface(n, d, 0.002) * np.exp(bend), starts=12).warnings
    assert any("keep their sign along compute" in sentence for sentence in said)
    assert not any("misses" in one for one in laws.fit_chinchilla(n, d, surface(n, d, 0.002), starts=12).warnings)


def test_a_law_that_misses_the_means_of_repeated_runs_is_said():
    n, d = (np.repeat(axis, 3) for axis in grid())
    right = surface(n, d, 0.004)
    assert not any("Repeated" in said for said in laws.fit_chinchilla(n, d, right, starts=12).warnings)
    shape = np.exp(0.01 * np.repeat(np.random.default_rng(5).standard_normal(len(n) // 3), 3))
    said = next(said for said in laws.fit_chinchilla(n, d, right * shape, starts=12).warnings if "Repeated" in said)
    among, missed = (float(share) for share in re.findall(r"([\d.]+)%", said))
    assert among == pytest.approx(0.4, abs=0.1) and 0.6 < missed < 1.2
    one = surface(*grid(), 0.004)
    copies = laws.fit_chinchilla(n, d, np.repeat(one * shape[::3], 3), starts=12)
    assert not any("Repeated" in said for said in copies.warnings), "copies of a row are no repeats"


def test_a_law_through_every_point_has_no_intervals():
    for law, points in (("power", 2), ("power-floor", 3), ("auto", 2)):
        x = np.logspace(2, 4, points)
        found = laws.fit(law, {"x": x, "y": 0.1 + x**-0.4}, bootstrap=50)
        assert found.interval == found.standard_error == found.samples == {}
        assert any("as many parameters as there are points" in said for said in found.warnings)
    assert laws.fit("power", {"x": [1, 10, 100], "y": [3, 2, 1]}, bootstrap=50).interval


def test_few_starts_at_the_optimum_are_said():
    rng = np.random.default_rng(3)
    x = np.logspace(2, 6, 12)
    found = laws.fit_broken(x, (0.1 + x**-0.3) * np.exp(0.05 * rng.standard_normal(12)))
    assert any("starts reached" in said for said in found.warnings) == (found.starts_at_optimum < 0.2)


# --- the choice among curves ----------------------------------------------------------------------


def test_auto_takes_the_floor_where_there_is_one_and_beats_the_power_law():
    auto, power = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        x = np.logspace(2, 5.5, 12)
        y = (rng.uniform(0.1, 0.5) + 5 * x ** -rng.uniform(0.3, 0.7)) * np.exp(0.01 * rng.standard_normal(12))
        for law, errors in (("auto", auto), ("power", power)):
            found = laws.fit(law, {"x": x[:8], "y": y[:8]})
            errors.append(np.abs(np.log(found.predict(x=x[8:]) / y[8:])).mean())
    assert np.mean(auto) < 0.5 * np.mean(power)


def test_auto_says_what_it_compared_and_which_rows_it_used():
    x = np.logspace(2, 6, 14)
    late = 1 / (1 + (x / 1e4) ** 0.8)  # a plateau, then a power law
    found = laws.fit("auto", {"x": x, "y": late}, bootstrap=50)
    assert set(found.held_out) == {"power", "power-floor", "recent power", "broken"}
    assert found.law in laws.LAWS and len(found.residuals) == 14
    np.testing.assert_allclose(found.residuals, np.log(late / found.predict(x=x)), atol=1e-6)
    assert found.n_points == (14 if found.used is None else found.used.sum())
    assert laws.fit("auto", {"x": [1, 10, 100], "y": [3, 2, 1]}).law == "power"


# --- bad input ------------------------------------------------------------------------------------

GOOD = {
    "n_params": [1e3, 1e4, 1e5, 1e6, 1e4, 1e5],
    "tokens": [1e5, 1e6, 1e7, 1e8, 1e8, 1e6],
    "loss": [4, 3.5, 3, 2.5, 2.9, 3.4],
}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"loss": [4, 3, np.nan, 2, 2, 2]}, "loss must hold finite numbers; row 3"),
        ({"loss": [4, 3, 3, -2, 2, 2]}, "loss must be positive.*row 4 holds -2"),
        ({"n_params": [0, 1e4, 1e5, 1e6, 1e4, 1e5]}, "n_params must be positive.*row 1 holds 0"),
        ({"n_params": [1e4] * 6}, "All runs have the same n_params, 10000"),
        ({"loss": ["4", "3", "three", "2", "2", "2"]}, "loss must hold numbers; row 3 holds 'three'"),
        ({"loss": [4, 3]}, "n_params has 6, tokens has 6 and loss has 2"),
        ({"loss": []}, "loss is empty"),
        ({"loss": np.ones((2, 3))}, "one column"),
        ({"tokens": [np.inf, 1e6, 1e7, 1e8, 1e8, 1e6]}, "tokens must hold finite numbers; row 1"),
        ({"tokens": [1e5, 1e-300, 1e7, 1e8, 1e8, 1e6]}, "tokens of no run is 1e-300, as in row 2"),
        ({"loss": [2.0] * 6}, "All runs have the same loss, 2"),
    ],
)
def test_bad_columns_get_one_sentence(changed, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        laws.fit("chinchilla", {**GOOD, **changed})
    assert "\n" not in str(caught.value) and str(caught.value).endswith((".", "it"))


@pytest.mark.parametrize(
    ("law", "table", "options", "sentence"),
    [
        ("chinchila", GOOD, {}, "no law 'chinchila'; the laws are power"),
        ("chinchilla", {"n_params": [1, 2]}, {}, "no column tokens and loss"),
        ("chinchilla", {k: v[:4] for k, v in GOOD.items()}, {}, "5 parameters; 4 points"),
        ("kaplan", {k: v[:3] for k, v in GOOD.items()}, {}, "4 parameters; 3 points"),
        ("power", {"x": [1], "y": [1]}, {}, "2 parameters; 1 point cannot"),
        ("power", {"x": [5, 5, 5], "y": [1, 2, 3]}, {}, "same x"),
        ("power-floor", {"x": [5, 6, 5], "y": [1, 2, 3]}, {}, "3 different values of x; got 2"),
        ("broken", {"x": [1, 2, 3, 4], "y": [4, 3, 2, 1]}, {}, "6 parameters; 4 points"),
        ("chinchilla", [1, 2, 3], {}, "table with named columns"),
        ("chinchilla", GOOD, {"level": 95}, "level is the share"),
        ("chinchilla", GOOD, {"delta": 0}, "delta"),
        ("chinchilla", GOOD, {"starts": 0}, "starts must be a whole number"),
        ("chinchilla", GOOD, {"bootstrap": -5}, "number of resamples"),
        ("chinchilla", GOOD, {"bootstrap": 10**9}, "at most 20,000 resamples"),
        ("chinchilla", GOOD, {"seed": -1}, "seed must be a whole number of at least 0"),
        ("auto", {"x": [1, 2, 4], "y": [2, 2, 2]}, {}, "same y"),
        ("chinchilla", GOOD, {"bootstrap": 5, "resample": "rows"}, "resample is"),
        ("chinchilla", GOOD, {"bootstrap": np.ones((3, 2))}, r"shape \(resamples, 6\)"),
        ("chinchilla", GOOD, {"colour": "red"}, "no option 'colour'"),
        ("isoflop", {"flops": [1e10] * 6, "n_params": GOOD["n_params"], "loss": GOOD["loss"]}, {}, "law needs two"),
        ("isoflop", sweep(), {"method": "spline"}, 'method is "parabola" or "akima"'),
        (
            "envelope",
            {"flops": [1e9] * 6, "n_params": GOOD["n_params"], "loss": GOOD["loss"]},
            {},
            "at least four curves",
        ),
    ],
)
def test_bad_calls_get_one_sentence(law, table, options, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        laws.fit(law, table, **options)
    assert "\n" not in str(caught.value)


def test_predictions_name_the_columns_they_need():
    found = laws.fit("chinchilla", GOOD)
    with pytest.raises(ValueError, match="from n_params and tokens; got x"):
        found.predict(x=1.0)
    with pytest.raises(ValueError, match="positive"):
        found.predict(n_params=-1.0, tokens=1e9)
    with pytest.raises(ValueError, match="no resamples"):
        found.predict_interval(n_params=1e9, tokens=1e9)
    with pytest.raises(ValueError, match="does not say how to split compute"):
        laws.compute_optimal(laws.fit("power", {"x": [1, 10], "y": [2, 1]}), 1e20)


def test_diverged_runs_are_left_out_and_counted():
    table = {name: [*values, values[0]] for name, values in GOOD.items()}
    table["loss"][-1] = float("nan")
    found = laws.fit("chinchilla", {**table, "diverged": [False] * 6 + [True]})
    assert found.n_points == 6
    assert "1 diverged run was left out." in found.warnings


def test_every_law_can_be_fitted_by_name():
    n, d = grid()
    x = np.logspace(2, 5, 10)
    runs = {"n_params": n, "tokens": d, "loss": surface(n, d, 0.005), "x": None}
    curve = {"x": x, "y": 0.1 + 3 * x**-0.4}
    for law in laws.LAWS:
        if law in {"isoflop", "envelope"}:
            continue
        table = curve if laws.COLUMNS[law] == ("x", "y") else {k: v for k, v in runs.items() if v is not None}
        found = laws.fit(law, table)
        assert set(FORMULAS[found.law].names) <= set(found.params)
        assert np.isfinite(found.residuals).all()


def test_the_interval_score_is_least_for_the_true_quantiles():
    values = np.random.default_rng(0).standard_normal(20_000)
    scores = {width: laws.interval_score(-width, width, values).mean() for width in (1.0, 1.5, 1.96, 2.5, 4.0)}
    assert min(scores, key=scores.get) == 1.96
    assert laws.interval_score(1.0, 2.0, 1.5) == 1.0 and laws.interval_score(1.0, 2.0, 2.1, 0.9) == pytest.approx(3.0)
