"""How well the laws are fitted: `python tests/bench_fitting.py` prints tables; `make bench` writes them as JSON too.

- optimum: Epoch's 240 points from 20 seeds of the default settings, beside the optimum;
- bootstrap: standard errors from the published 4,000 resamples, and the time of the published method (one scipy call
  with finite differences a resample) beside ours, taking turns;
- recovery: how often 95 % intervals hold the true parameters of made surfaces;
- extrapolation: the law that `auto` chooses beside the plain power law, on the largest points of curves.

Nothing is asserted. Without the published data (COURSE_DATA) the first two parts are absent.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import optimize
from threadpoolctl import threadpool_limits

from course import laws
from course.data import published
from course.laws import FORMULAS

OPTIMUM = {"E": 1.8172, "A": 477.8, "B": 2143.4, "alpha": 0.3473, "beta": 0.3672}
PUBLISHED_ERRORS = {"A": 124.5, "B": 1293.3, "E": 0.0257, "alpha": 0.0154, "beta": 0.0206, "a": 0.020}
RESAMPLES = 4000
TRIALS = 200


# --- Epoch's points -------------------------------------------------------------------------------


def optimum(points: Any, seeds: int = 20) -> dict[str, Any]:
    """The default fit from each seed: how far the exponents are from the optimum, at worst."""
    started = time.process_time()
    fits = [laws.fit("chinchilla", points, seed=seed) for seed in range(seeds)]
    spent = (time.process_time() - started) / seeds
    away = {name: max(abs(fit.params[name] - OPTIMUM[name]) for fit in fits) for name in ("alpha", "beta")}
    share = statistics.median(fit.starts_at_optimum for fit in fits)
    print(f"Epoch's 240 points, {seeds} seeds: " + ", ".join(f"{k} {v:.5g}" for k, v in fits[0].params.items()))
    print(
        f"  farthest from the optimum: alpha {away['alpha']:.5f}, beta {away['beta']:.5f} (allowed 0.0005); "
        f"{share:.0%} of starts reach it; {spent:.3f} s of processor a fit\n"
    )
    return {"params": fits[0].params, "farthest": away, "starts_at_optimum": share, "cpu_seconds": spent}


def published_resample(n: np.ndarray, d: np.ndarray, y: np.ndarray, start: np.ndarray) -> Any:
    """The published way to fit one resample: the summed Huber loss, scipy's BFGS from the optimum, finite differences."""

    def objective(theta: np.ndarray) -> float:
        a, b, e, alpha, beta = theta
        r = np.logaddexp(np.logaddexp(a - alpha * n, b - beta * d), e) - y
        size = np.abs(r)
        return float(np.sum(np.where(size <= 1e-3, 0.5 * r**2, 1e-3 * (size - 0.5e-3))))

    return optimize.minimize(objective, start, method="BFGS")


def bootstrap(points: Any, rounds: int = 5, fits: int = 40) -> dict[str, Any]:
    """Standard errors from the published draws, and both methods' times, taking turns."""
    columns = [points[name].to_numpy() for name in ("n_params", "tokens", "loss")]
    n, d, y = (np.log(column) for column in columns)
    rows = np.random.RandomState(42).choice(len(y), size=(RESAMPLES, len(y)))  # the published draws
    counts = np.stack([np.bincount(row, minlength=len(y)) for row in rows])
    at = laws.fit("chinchilla", points).params
    start = np.array([np.log(at["A"]), np.log(at["B"]), np.log(at["E"]), at["alpha"], at["beta"]])
    wall: dict[str, list[float]] = {"published": [], "ours": []}
    cpu: dict[str, list[float]] = {"published": [], "ours": []}
    agree = []
    for turn in range(rounds):
        with threadpool_limits(limits=1, user_api="blas"):
            begun = time.perf_counter(), time.process_time()
            ends = [published_resample(n[row], d[row], y[row], start) for row in rows[turn * fits : (turn + 1) * fits]]
            scale = RESAMPLES / fits
            wall["published"].append((time.perf_counter() - begun[0]) * scale)
            cpu["published"].append((time.process_time() - begun[1]) * scale)
        begun = time.perf_counter(), time.process_time()
        found = laws.fit_chinchilla(*columns, bootstrap=counts)
        wall["ours"].append(time.perf_counter() - begun[0])
        cpu["ours"].append(time.process_time() - begun[1])
        theirs = np.array([end.x[3] for end in ends])
        agree += list(np.abs(theirs - found.samples["alpha"][turn * fits : (turn + 1) * fits]))
    errors = {name: found.standard_error[name] for name in PUBLISHED_ERRORS}
    off = {name: errors[name] / value - 1 for name, value in PUBLISHED_ERRORS.items()}
    print(f"{'standard error':16}" + "".join(f"{name:>10}" for name in errors))
    print(f"{'  ours':16}" + "".join(f"{value:10.4g}" for value in errors.values()))
    print(f"{'  published':16}" + "".join(f"{value:10.4g}" for value in PUBLISHED_ERRORS.values()))
    print(f"{'  difference':16}" + "".join(f"{value:10.1%}" for value in off.values()))
    ratio = {
        kind: statistics.median(a / b for a, b in zip(times["published"], times["ours"], strict=True))
        for kind, times in (("wall", wall), ("cpu", cpu))
    }
    middle = {kind: {k: statistics.median(v) for k, v in t.items()} for kind, t in (("wall", wall), ("cpu", cpu))}
    print(
        f"{RESAMPLES} resamples: published {middle['wall']['published']:.1f} s (from {rounds * fits} fits), ours "
        f"{middle['wall']['ours']:.2f} s, {ratio['wall']:.0f} times (processor time: {middle['cpu']['published']:.1f} and "
        f"{middle['cpu']['ours']:.2f} s, {ratio['cpu']:.0f} times); alpha agrees to {statistics.median(agree):.1e} (median)\n"
    )
    return {
        "standard_error": errors,
        "against_published": off,
        "ratio": ratio,
        "seconds": middle["wall"],
        "cpu_seconds": middle["cpu"],
    }


# --- recovery -------------------------------------------------------------------------------------

COURSE = {"E": 1.5, "A": 30.0, "B": 200.0, "alpha": 0.4, "beta": 0.45}


def at_budgets() -> tuple[np.ndarray, np.ndarray]:
    """Sizes and tokens like those of the course's sweeps: six budgets, D / N between 2 and 500."""
    c, n = (each.ravel() for each in np.meshgrid(np.logspace(10, 12.5, 6), np.logspace(3.3, 5.5, 10)))
    d = c / 6 / n
    kept = (d / n > 2) & (d / n < 500)
    return n[kept], d[kept]


def all_pairs() -> tuple[np.ndarray, np.ndarray]:
    """Every size with every amount of data: N 2e3 to 3e5, D 1e5 to 1e8."""
    n, d = np.meshgrid(np.logspace(3.3, 5.5, 6), np.logspace(5, 8, 7))
    return n.ravel(), d.ravel()


def one_decade() -> tuple[np.ndarray, np.ndarray]:
    """Too narrow a range: nothing is identified, and the fit should say so."""
    n, d = np.meshgrid(np.logspace(4, 5, 5), np.logspace(6, 7, 5))
    return n.ravel(), d.ravel()


def like_epoch(count: int = 240) -> tuple[np.ndarray, np.ndarray]:
    """Sizes and tokens spread like Epoch's points."""
    rng = np.random.default_rng(0)
    n = np.exp(rng.uniform(np.log(5.7e7), np.log(1.6e10), count))
    ratio = np.exp(rng.uniform(np.log(1), np.log(300), count))
    return n, np.clip(n * ratio, 3e8, 3e11)


SURFACES: dict[str, tuple[Callable[[], tuple[np.ndarray, np.ndarray]], dict[str, float], tuple[float, ...]]] = {
    "six budgets": (at_budgets, COURSE, (0.005, 0.01, 0.02)),
    "all pairs": (all_pairs, COURSE, (0.005, 0.01, 0.02)),
    "like Epoch's": (like_epoch, OPTIMUM, (0.01,)),
    "one decade": (one_decade, COURSE, (0.02,)),
}


def recovery(trials: int = TRIALS, resamples: int = 300) -> list[dict[str, Any]]:
    """Share of 95 % intervals that hold the truth, a row for each surface and noise.

    A parameter counts as identified when the median interval is narrower than its value; for others the share is in
    brackets.
    """
    names = ("E", "A", "B", "alpha", "beta", "a")
    print(
        f"{'95 % intervals that hold the truth, ' + str(trials) + ' trials':44}"
        + "".join(f"{n:>8}" for n in names)
        + "   warned"
    )
    rows = []
    for name, (make, true, noises) in SURFACES.items():
        n, d = make()
        truth = {**true, "a": true["beta"] / (true["alpha"] + true["beta"])}
        exact = FORMULAS["chinchilla"].log(true, n, d)
        for noise in noises:
            held, width, warned = dict.fromkeys(names, 0), {key: [] for key in names}, 0
            for trial in range(trials):
                loss = np.exp(exact + noise * np.random.default_rng(trial).standard_normal(len(n)))
                fit = laws.fit_chinchilla(n, d, loss, bootstrap=resamples, seed=trial, starts=16)
                for key in names:
                    low, high = fit.interval[key]
                    held[key] += low <= truth[key] <= high
                    width[key].append((high - low) / truth[key])
                warned += any("not identified" in said for said in fit.warnings)
            share = {key: held[key] / trials for key in names}
            known = {key: statistics.median(width[key]) < 1 for key in names}
            cells = "".join(f"{f'{share[k]:.1%}' if known[k] else f'({share[k]:.1%})':>8}" for k in names)
            print(f"{f'{name}, {len(n)} runs, noise {noise:.1%}':44}{cells}   {warned / trials:.0%}", flush=True)
            rows.append(
                {
                    "surface": name,
                    "runs": len(n),
                    "noise": noise,
                    "share": share,
                    "identified": known,
                    "warned": warned / trials,
                }
            )
    rows.append(_recovery_isoflop(trials, resamples))
    print("In brackets: not identified (the median interval is wider than the value).\n")
    return rows


def _recovery_isoflop(trials: int, resamples: int, noise: float = 0.005) -> dict[str, Any]:
    c, n = [], []
    for flops in np.logspace(10, 12.5, 6):
        best = (COURSE["alpha"] * COURSE["A"] / COURSE["beta"] / COURSE["B"]) ** (1 / 0.85) * (flops / 6) ** (
            0.45 / 0.85
        )
        n += list(best * np.exp(np.linspace(-1.6, 1.6, 7) + 0.1))
        c += [flops] * 7
    flops, sizes = np.array(c), np.array(n)
    exact = FORMULAS["chinchilla"].log(COURSE, sizes, flops / 6 / sizes)
    held = 0
    for trial in range(trials):
        loss = np.exp(exact + noise * np.random.default_rng(trial).standard_normal(len(exact)))
        low, high = laws.fit_isoflop(flops, sizes, loss, bootstrap=resamples, seed=trial).interval["a"]
        held += low <= 0.45 / 0.85 <= high
    print(f"{f'isoflop, 42 runs, noise {noise:.1%}':44}{'':40}{held / trials:8.1%}")
    return {"surface": "isoflop", "runs": 42, "noise": noise, "share": {"a": held / trials}, "identified": {"a": True}}


# --- extrapolation --------------------------------------------------------------------------------

Curve = tuple[np.ndarray, np.ndarray]


def made_curves(count: int = 25) -> Iterator[tuple[str, Curve]]:
    """Learning curves of five kinds that are not among those that `auto` was tuned on."""

    def stretched(u: np.ndarray, r: np.random.Generator) -> np.ndarray:
        return r.uniform(0.05, 0.4) + np.exp(-((u + 0.2) ** r.uniform(0.4, 0.9)))

    def logarithmic(u: np.ndarray, r: np.random.Generator) -> np.ndarray:
        return 3 - r.uniform(0.1, 0.2) * u

    def inverse_tangent(u: np.ndarray, r: np.random.Generator) -> np.ndarray:
        return 0.1 + r.uniform(0.5, 0.55) * np.pi - np.arctan(r.uniform(0.2, 0.6) * u - 1)

    def sum_of_powers(u: np.ndarray, r: np.random.Generator) -> np.ndarray:
        return r.uniform(0, 0.5) + sum(
            w * np.exp(-a * u) for w, a in zip(r.dirichlet([1] * 4), r.uniform(0.1, 1, 4), strict=True)
        )

    def rational(u: np.ndarray, r: np.random.Generator) -> np.ndarray:
        x = np.exp(u)
        return (1 + r.uniform(0.02, 0.1) * x) / (1 + r.uniform(0.3, 1) * x) + 0.02

    for kind in (stretched, logarithmic, inverse_tangent, sum_of_powers, rational):
        for seed in range(count):
            r = np.random.default_rng(10_000 + seed)
            points = int(r.integers(6, 16))
            x = np.logspace(2, 2 + r.uniform(1.5, 4), points)
            y = kind(np.log(x / x[0]), r) * np.exp(r.choice([0.003, 0.01, 0.02]) * r.standard_normal(points))
            yield f"made: {kind.__name__.replace('_', ' ')}", (x, y)


def measured_curves() -> Iterator[tuple[str, Curve]]:
    """Test losses of small classifiers against the number of samples, mean over five draws."""
    from sklearn import datasets, ensemble, linear_model, naive_bayes, neighbors, svm
    from sklearn.metrics import log_loss
    from sklearn.model_selection import train_test_split

    makers = {
        "logistic": lambda: linear_model.LogisticRegression(max_iter=2000),
        "neighbours": lambda: neighbors.KNeighborsClassifier(3),
        "naive Bayes": lambda: naive_bayes.GaussianNB(var_smoothing=1e-2),
        "trees": lambda: ensemble.ExtraTreesClassifier(30, min_samples_leaf=2, random_state=0, n_jobs=1),
        "vectors": lambda: svm.SVC(gamma="scale"),
    }
    sets = {
        "digits": datasets.load_digits(return_X_y=True),
        "made classes": datasets.make_classification(
            4000, 20, n_informative=8, n_classes=4, flip_y=0.05, random_state=0
        ),
    }
    for X, y in sets.values():
        X = X / np.abs(X).max(axis=0).clip(1e-9)
        half = train_test_split(X, y, test_size=0.4, random_state=0, stratify=y)
        sizes = np.unique(np.geomspace(40, len(half[0]), 10).astype(int))
        for name, make in makers.items():
            errors, losses = np.zeros((5, len(sizes))), np.zeros((5, len(sizes)))
            for draw in range(5):
                order = np.random.default_rng(draw).permutation(len(half[0]))
                for k, size in enumerate(sizes):
                    rows = order[:size]
                    model = make().fit(half[0][rows], half[2][rows])
                    errors[draw, k] = 1 - model.score(half[1], half[3])
                    if name == "logistic":
                        p = np.zeros((len(half[3]), len(np.unique(y))))
                        p[:, model.classes_] = model.predict_proba(half[1])
                        losses[draw, k] = log_loss(half[3], p.clip(1e-6) / p.clip(1e-6).sum(axis=1, keepdims=True))
            yield "measured: classifiers", (sizes.astype(float), errors.mean(axis=0))
            if name == "logistic":
                yield "measured: classifiers", (sizes.astype(float), losses.mean(axis=0))


def published_curves() -> Iterator[tuple[str, Curve]]:
    """Porian et al.: loss against tokens at each size. `auto` was tuned on these."""
    points = published.load_or_none("porian_points")
    if points is None:
        return
    groups = points.groupby(["dataset", "hparams", "warmup", "decay", "param_count", "val", "n_params"])
    for k, (_, runs) in enumerate(groups):
        runs = runs.sort_values("tokens")
        if len(runs) >= 7 and k % 4 == 0:
            yield "tuned on: Porian", (runs["tokens"].to_numpy(), runs["loss"].to_numpy())


def extrapolation() -> dict[str, Any]:
    """Mean error in log y beyond the first 60 % of each curve's range in log x: `auto` beside the power law."""
    scores: dict[str, list[tuple[float, float]]] = {}
    for source in (made_curves, measured_curves, published_curves):
        for kind, (x, y) in source():
            seen = np.log(x / x[0]) <= 0.6 * np.log(x[-1] / x[0])
            if seen.sum() < 4 or seen.all() or (y <= 0).any():
                continue
            scores.setdefault(kind, []).append(
                tuple(
                    float(
                        np.abs(
                            np.log(laws.fit(law, {"x": x[seen], "y": y[seen]}).predict(x=x[~seen]) / y[~seen])
                        ).mean()
                    )
                    for law in ("auto", "power")
                )  # type: ignore[arg-type]
            )
    unseen = [pair for kind, pairs in scores.items() if not kind.startswith("tuned") for pair in pairs]
    table = {}
    print(
        f"{'error beyond the first 60 % of the curve':40}{'curves':>8}{'auto':>8}{'power':>8}{'auto wins':>11}{'loses':>7}"
    )
    for kind, pairs in [*scores.items(), ("all that auto was not tuned on", unseen)]:
        ours, theirs = (statistics.mean(column) for column in zip(*pairs, strict=True))
        wins, losses = sum(a < b - 1e-6 for a, b in pairs), sum(a > b + 1e-6 for a, b in pairs)
        print(f"{kind:40}{len(pairs):8}{ours:8.1%}{theirs:8.1%}{wins:11}{losses:7}")
        table[kind] = {"curves": len(pairs), "auto": ours, "power": theirs, "wins": wins, "losses": losses}
    print()
    return table


def main() -> dict[str, Any]:
    """Run all parts; returns what they found, ready for JSON."""
    points = published.load_or_none("epoch", drop_largest=5)
    found: dict[str, Any] = {}
    if points is None:
        print("Epoch's points are not here (COURSE_DATA); optimum and bootstrap are left out.\n")
    else:
        found |= {"optimum": optimum(points), "bootstrap": bootstrap(points)}
    quick = "--quick" in sys.argv
    return found | {"recovery": recovery(20 if quick else TRIALS), "extrapolation": extrapolation()}


if __name__ == "__main__":
    main()
