"""Exercises of lesson 4.2: one step, the loop, the largest stable step, rates, momentum, schedules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course import descent
from course.exercises.specification import Case, Exercise, Mistake

# --- 4.2.1 one step -------------------------------------------------------------------------------


def _one_step(w: Any, gradient: Any, step: Any) -> Any:
    return w - step * gradient


def _step_cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case((rng.normal(size=d).round(2), rng.normal(size=d).round(2), round(float(rng.uniform(0.05, 0.4)), 2)))
        for d in (1, 2, 3, 5)
    ]


_STEP_MISTAKES = (
    Mistake(
        "uphill",
        lambda w, gradient, step: w + step * gradient,
        "You stepped *along* the gradient, which is uphill. The loss falls in the opposite direction: subtract.",
    ),
    Mistake(
        "no step size",
        lambda w, gradient, step: w - gradient,
        "You subtracted the whole gradient: the step size `step` is not in your answer. It sets how much of the "
        "gradient you move by.",
    ),
    Mistake(
        "only the change",
        lambda w, gradient, step: -step * gradient,
        "That is the change of the weights, and it is right. Return the new weights: the old ones plus this change.",
    ),
    Mistake(
        "the step without sign",
        lambda w, gradient, step: step * gradient,
        "That is step times gradient alone. Return the new weights: subtract this from `w`.",
    ),
    Mistake(
        "the wrong way round",
        lambda w, gradient, step: step * gradient - w,
        "You subtracted the weights from the step. Start at `w` and subtract step times gradient from it.",
    ),
    Mistake(
        "divided",
        lambda w, gradient, step: w - gradient / step,
        "You divided by the step size, so a smaller step moves further. Multiply the gradient by it.",
    ),
    Mistake(
        "shrinks the weights",
        lambda w, gradient, step: (1 - step) * w - step * gradient,
        "Your version also shrinks the weights by the factor 1 - step (that would be weight decay). Only the gradient "
        "is multiplied by the step size.",
    ),
    Mistake(
        "unit length",
        lambda w, gradient, step: w - step * gradient / np.linalg.norm(gradient),
        "You divided the gradient by its length, so every step is equally long. The rule uses the gradient as it is: "
        "the steps shorten by themselves where the loss is flat.",
    ),
    Mistake(
        "only the sign",
        lambda w, gradient, step: w - step * np.sign(gradient),
        "You used only the sign of the gradient. The rule uses its size as well.",
    ),
)

# --- 4.2.2 the loop -------------------------------------------------------------------------------


def _descend(gradient: Any, start: Any, step: Any, steps: Any) -> Any:
    return descent.gradient_descent(gradient, start, step, steps)


def gradient_of_w_squared(w: Any) -> Any:
    return 2 * np.asarray(w)


def gradient_of_sum_of_fourth_powers(w: Any) -> Any:
    return 4 * np.asarray(w) ** 3


class _TiltedBowl:
    """The gradient of a bowl; a class, so that what is printed of it names its numbers."""

    __name__ = "gradient_of_a_tilted_bowl"

    def __init__(self, rng: np.random.Generator, d: int) -> None:
        A = rng.normal(size=(d, d))
        H = (A @ A.T / d + np.eye(d)).round(2)
        self.hessian, self.bottom = (H + H.T) / 2, rng.normal(size=d).round(1)

    def __call__(self, w: Any) -> Any:
        return self.hessian @ (np.asarray(w) - self.bottom)

    def __repr__(self) -> str:
        return f"{self.__name__}({self.hessian.tolist()}, {self.bottom.tolist()})"


def _loop_cases(rng: np.random.Generator) -> list[Case]:
    def tilted(d: int) -> Callable[[Any], Any]:
        return _TiltedBowl(rng, d)

    def start(d: int) -> Any:
        return (rng.choice([-1, 1], size=d) * rng.uniform(0.5, 1.5, size=d)).round(2)

    return [
        Case((gradient_of_w_squared, start(1), 0.1, 3)),
        Case((gradient_of_w_squared, start(2), 0.2, 2)),
        Case((gradient_of_sum_of_fourth_powers, start(2), 0.05, 4)),
        Case((tilted(2), start(2), 0.1, 5)),
        Case((tilted(3), start(3), 0.15, 8)),
    ]


def _loop(
    gradient: Any, start: Any, steps: int, move: Callable[[Any, Any], Any], at_start: bool = False, extra: int = 0
) -> list[Any]:
    """A path in which `move(w, g)` gives the next point: the mistakes differ in `move` and in what is kept."""
    w = np.array(start, float)
    path = [w]
    for _ in range(steps + extra):
        w = move(w, gradient(start if at_start else w))
        path.append(w)
    return path


_LOOP_MISTAKES = (
    Mistake(
        "uphill",
        lambda gradient, start, step, steps: np.array(_loop(gradient, start, steps, lambda w, g: w + step * g)),
        "Your path climbs: you added step times gradient. Subtract it.",
    ),
    Mistake(
        "no step size",
        lambda gradient, start, step, steps: np.array(_loop(gradient, start, steps, lambda w, g: w - g)),
        "You subtracted the whole gradient in each step; the step size `step` is not used.",
    ),
    Mistake(
        "gradient of the start",
        lambda gradient, start, step, steps: np.array(
            _loop(gradient, start, steps, lambda w, g: w - step * g, at_start=True)
        ),
        "Your path is a straight line with equal steps: you evaluate the gradient at `start` each time. Call "
        "`gradient(w)` again in every pass of the loop, at the point you have reached.",
    ),
    Mistake(
        "last point only",
        lambda gradient, start, step, steps: _loop(gradient, start, steps, lambda w, g: w - step * g)[-1],
        "You returned only the last point, and it is right. The whole path is asked for: collect every point in a "
        "list, the start included, and return it as an array of steps + 1 rows.",
    ),
    Mistake(
        "start left out",
        lambda gradient, start, step, steps: np.array(_loop(gradient, start, steps, lambda w, g: w - step * g)[1:]),
        "The start is missing from your path. Put it in the list before the loop: `path[0]` is the point "
        "after 0 steps.",
    ),
    Mistake(
        "last point missing",
        lambda gradient, start, step, steps: np.array(_loop(gradient, start, steps, lambda w, g: w - step * g)[:-1]),
        "Your path stops one point too early. Either the loop runs once too few, or you keep each point before the "
        "update and never keep the last one. There are steps + 1 points.",
    ),
    Mistake(
        "one step too many",
        lambda gradient, start, step, steps: np.array(
            _loop(gradient, start, steps, lambda w, g: w - step * g, extra=1)
        ),
        "Your path has one step too many: `range(steps + 1)` makes steps + 1 updates. Make `steps` of them; with the "
        "start that is steps + 1 points.",
    ),
    Mistake(
        "the same array each time",
        lambda gradient, start, step, steps: np.array(
            [_loop(gradient, start, steps, lambda w, g: w - step * g)[-1]] * (steps + 1)
        ),
        "Every row of your path is the last point. `w -= ...` changes the array in place, and your list holds the same "
        "array many times (and the caller's `start` has changed too). Write `w = w - ...`, or keep `w.copy()`.",
    ),
    Mistake(
        "gradients instead of points",
        lambda gradient, start, step, steps: np.array(
            [gradient(w) for w in _loop(gradient, start, steps, lambda w, g: w - step * g)]
        ),
        "You collected the gradients. The path holds the points `w`.",
    ),
    Mistake(
        "starts at zero",
        lambda gradient, start, step, steps: np.array(
            _loop(gradient, np.zeros_like(start), steps, lambda w, g: w - step * g)
        ),
        "Your path begins at zero. It must begin at `start`.",
    ),
)

# --- 4.2.3 the largest stable step ----------------------------------------------------------------


def _stable_step(X: Any) -> Any:
    return descent.largest_stable_step(descent.least_squares_hessian(X))


def _stable_cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case(((rng.normal(size=(n, d)) * rng.uniform(0.5, 2, size=d) + rng.choice([-1, 1], size=d)).round(1),))
        for n, d in ((3, 2), (4, 3), (6, 2), (3, 5), (8, 4))
    ]


def _lam(X: Any) -> Any:
    return np.linalg.eigvalsh(X.T @ X / len(X))


_STABLE_MISTAKES = (
    Mistake(
        "1 / lambda_max",
        lambda X: 1 / _lam(X)[-1],
        "That is half of it: 1 / largest curvature. There the error of the steepest direction is gone in one step; it "
        "may overshoot up to the mirror point before it grows, which is at 2 / largest curvature. (If you derived "
        "H = 2 X.T X / n: this loss has a factor 1/2 in front.)",
    ),
    Mistake(
        "forgot n",
        lambda X: 2 / np.linalg.eigvalsh(X.T @ X)[-1],
        "Your step is n times too small: the loss is a *mean* over the n samples, so its Hessian is X.T X / n.",
    ),
    Mistake(
        "forgot n, 1 / lambda_max",
        lambda X: 1 / np.linalg.eigvalsh(X.T @ X)[-1],
        "Two things: the Hessian of the mean loss is X.T X / n, so divide by n; and the limit is 2 / curvature.",
    ),
    Mistake(
        "trace",
        lambda X: 2 / np.sum(_lam(X)),
        "You used the trace, the sum of all curvatures. That step is safe, and smaller than it need be: only the "
        "largest single curvature limits it.",
    ),
    Mistake(
        "Frobenius norm",
        lambda X: 2 / np.linalg.norm(X.T @ X / len(X)),
        "`np.linalg.norm` of a matrix is by default the root of the sum of its squared entries (Frobenius), not its "
        "largest eigenvalue. Use `np.linalg.eigvalsh`, or the norm with `ord=2`.",
    ),
    Mistake(
        "singular value not squared",
        lambda X: 2 * len(X) / np.linalg.svd(X, compute_uv=False)[0],
        "You used the largest singular value of X. The eigenvalues of X.T X are the *squares* of X's singular values.",
    ),
    Mistake(
        "singular value not squared, no n",
        lambda X: 2 / np.linalg.svd(X, compute_uv=False)[0],
        "You used the largest singular value of X. The curvatures are their squares, divided by n.",
    ),
    Mistake(
        "smallest",
        lambda X: 2 / _lam(X)[0],
        "You used the smallest curvature. The steepest direction diverges first, so the largest one sets the limit. "
        "`eigvalsh` sorts in increasing order: take `[-1]`.",
    ),
    Mistake(
        "divided by d",
        lambda X: 2 / np.linalg.eigvalsh(X.T @ X / X.shape[1])[-1],
        "You divided by the number of features. The mean runs over the samples: divide by n = `len(X)`.",
    ),
    Mistake(
        "centred",
        lambda X: 2 / np.linalg.eigvalsh(np.cov(X.T))[-1],
        "You used the covariance, which subtracts the mean of each feature (and divides by n - 1). The "
        "Hessian of least "
        "squares is X.T X / n with X as it stands.",
    ),
    Mistake(
        "centred, divided by n",
        lambda X: 2 / np.linalg.eigvalsh(np.cov(X.T, bias=True))[-1],
        "You subtracted the mean of each feature first. The Hessian of least squares is X.T X / n with X as it stands; "
        "a feature far from 0 makes it steeper.",
    ),
    Mistake(
        "diagonal",
        lambda X: 2 / np.max(np.diag(X.T @ X / len(X))),
        "You used the largest entry of the diagonal: the steepest *coordinate*. Where features go together a slanting "
        "direction is steeper still, and there your step diverges. Take the largest eigenvalue.",
    ),
    Mistake(
        "logistic",
        lambda X: 8 / _lam(X)[-1],
        "That is the guarantee for logistic regression, four times too large for least squares.",
    ),
    Mistake(
        "the curvature itself",
        lambda X: _lam(X)[-1],
        "That is the largest curvature, and it is right. The step is 2 divided by it.",
    ),
    Mistake(
        "kept the half",
        lambda X: 4 / _lam(X)[-1],
        "Twice too long. If you used H = X.T X / (2 n): differentiating the square gives a factor 2, which cancels the "
        "1/2 of the loss, so H = X.T X / n.",
    ),
)

# --- 4.2.4 how many steps -------------------------------------------------------------------------


def _count_cases(rng: np.random.Generator) -> list[Case]:
    # The factors end in 3 so that no whole number of steps gives them exactly.
    kappas = [round(float(rng.uniform(low, 2 * low)), 1) for low in (3, 8, 20, 60, 150, 400)]
    factors = [float(f) for f in rng.permutation([13, 43, 103, 1003, 10003, 1000003])]
    return [Case((kappa, factor)) for kappa, factor in zip(kappas, factors, strict=True)]


def _exact_count(kappa: float, factor: float) -> float:
    return float(np.log(factor) / (-2 * np.log(1 - 1 / kappa)))


_COUNT_MISTAKES = (
    Mistake(
        "error instead of loss",
        lambda kappa, factor: int(np.ceil(2 * _exact_count(kappa, factor))),
        "That many steps shrink the *error* by `factor`. The loss goes with the square of the error, so each step "
        "multiplies it by (1 - 1/kappa) squared: half as many steps do.",
    ),
    Mistake(
        "rounded down",
        lambda kappa, factor: int(_exact_count(kappa, factor)),
        "You rounded down, so the loss has not quite come down by `factor`. Round up: `math.ceil`.",
    ),
    Mistake(
        "not rounded",
        _exact_count,
        "The formula is right. Steps are whole numbers, so round it up: `math.ceil`.",
    ),
    Mistake(
        "rounded to nearest",
        lambda kappa, factor: round(_exact_count(kappa, factor)),
        "You rounded to the nearest whole number, which is sometimes a step too few. Round up: `math.ceil`.",
    ),
    Mistake(
        "one too many",
        lambda kappa, factor: int(np.ceil(_exact_count(kappa, factor))) + 1,
        "One step too many. If you counted in a loop: the loss after t steps is the start's times (1 - 1/kappa)^(2t), "
        "so count the steps made, not the points.",
    ),
    Mistake(
        "large-kappa approximation",
        lambda kappa, factor: int(np.ceil(kappa * np.log(factor) / 2)),
        "You replaced -log(1 - 1/kappa) by 1/kappa. That is a good approximation for large kappa, and a few steps off "
        "for small ones. Keep the logarithm.",
    ),
    Mistake(
        "approximation of the error",
        lambda kappa, factor: int(np.ceil(kappa * np.log(factor))),
        "kappa log(factor) is the approximation for the *error*. The loss goes with its square (half as many steps), "
        "and the exact count uses -log(1 - 1/kappa) in place of 1/kappa.",
    ),
    Mistake(
        "the best step",
        lambda kappa, factor: int(np.ceil(np.log(factor) / (-2 * np.log((kappa - 1) / (kappa + 1))))),
        "That is the count for the step 2 / (smallest + largest curvature), which is about twice as fast. Here the "
        "step is 1 / largest curvature, so the slowest direction keeps 1 - 1/kappa of its error.",
    ),
    Mistake(
        "mixed logarithms",
        lambda kappa, factor: int(np.ceil(np.log10(factor) / (-2 * np.log(1 - 1 / kappa)))),
        "You mixed two logarithms: base 10 above, base e below. Use the same for both; any will do.",
    ),
    Mistake(
        "not a logarithm",
        lambda kappa, factor: int(np.ceil(kappa * factor / 2)),
        "You multiplied by `factor`. Every step multiplies the loss by the same number, so the count of "
        "steps goes with "
        "the *logarithm* of the factor.",
    ),
    Mistake(
        "square root of kappa",
        lambda kappa, factor: int(np.ceil(np.log(factor) / (-2 * np.log((np.sqrt(kappa) - 1) / (np.sqrt(kappa) + 1))))),
        "That is momentum's rate, which comes later. Plain gradient descent keeps 1 - 1/kappa of the error.",
    ),
    Mistake(
        "wrong sign",
        lambda kappa, factor: int(np.ceil(-_exact_count(kappa, factor))),
        "Your count is negative: log(1 - 1/kappa) is below 0. Divide by minus it, and round up after that.",
    ),
    Mistake(
        "twice instead of half",
        lambda kappa, factor: int(np.ceil(4 * _exact_count(kappa, factor))),
        "The square is on the wrong side. The loss shrinks by (1 - 1/kappa) *squared* each step, so it needs half as "
        "many steps as the error, and you took twice as many: divide by 2.",
    ),
)

# --- 4.2.5 the exponent in time -------------------------------------------------------------------


def _exponent_cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case((round(float(rng.uniform(1.2, 3.5)), 2), round(float(rng.uniform(0.5, 3)), 2)), "any a > 1 and b > 0")
        for _ in range(6)
    ]


_EXPONENT_MISTAKES = (
    Mistake(
        "negative",
        lambda a, b: -(a - 1) / b,
        "The size is right. The loss is asked for in the form t to the power *minus* your number, so return "
        "it positive.",
    ),
    Mistake(
        "a / b",
        lambda a, b: a / b,
        "You took the loss of the *next* mode, k^-a. What is left is the sum over all modes that aren't "
        "learned yet, and "
        "the sum of k^-a from K on goes with K^-(a - 1).",
    ),
    Mistake(
        "upside down",
        lambda a, b: b / (a - 1),
        "Upside down. At time t the modes up to about K = t^(1/b) are learned; put that K into K^-(a - 1).",
    ),
    Mistake(
        "multiplied",
        lambda a, b: (a - 1) * b,
        "You have K = t^b. Mode k is learned once its curvature times t exceeds 1, so k^-b t = 1: K = t^(1/b).",
    ),
    Mistake(
        "in modes, not time",
        lambda a, b: a - 1,
        "That is how the loss falls with the number K of learned modes. Now put in how K grows with the time.",
    ),
    Mistake(
        "wrong integral",
        lambda a, b: (a + 1) / b,
        "The integral of k^-a from K on is K^(1 - a) / (a - 1): the exponent goes *down* by one in size, to a - 1.",
    ),
    Mistake(
        "factor 2",
        lambda a, b: 2 * (a - 1) / b,
        "Twice too large. The 2 in (1 - step lambda)^(2t) shifts the time at which a mode is learned by a constant "
        "factor; it doesn't change how that time grows with k.",
    ),
    Mistake(
        "half",
        lambda a, b: (a - 1) / (2 * b),
        "Half of it. k^-a is what mode k holds of the *loss*, already squared; there is no further root to take.",
    ),
    Mistake(
        "curvature counted twice",
        lambda a, b: (a + b - 1) / b,
        "You took k^-a for the squared error c_k^2 and multiplied by the curvature once more. Here k^-a is the product "
        "of the two, what mode k holds of the loss.",
    ),
    Mistake(
        "curvature divided out",
        lambda a, b: (a - b - 1) / b,
        "You summed the squared errors c_k^2 = k^(b - a). The loss weighs each by its curvature: k^-a.",
    ),
)

# --- 4.2.6 momentum -------------------------------------------------------------------------------


def _momentum_step(w: Any, previous: Any, gradient: Any, step: Any, momentum: Any) -> Any:
    return w + momentum * (w - previous) - step * gradient(w)


def _momentum_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for d, gradient in (
        (1, gradient_of_w_squared),
        (2, gradient_of_w_squared),
        (2, gradient_of_sum_of_fourth_powers),
        (3, gradient_of_sum_of_fourth_powers),
        (4, gradient_of_w_squared),
    ):
        w, previous = rng.normal(size=d).round(2), rng.normal(size=d).round(2)
        cases.append(Case((w, previous, gradient, 0.1, round(float(rng.uniform(0.3, 0.8)), 2))))
    return cases


def _nesterov(w: Any, previous: Any, gradient: Any, step: Any, momentum: Any) -> Any:
    ahead = w + momentum * (w - previous)
    return ahead - step * gradient(ahead)


_MOMENTUM_MISTAKES = (
    Mistake(
        "Nesterov",
        _nesterov,
        "You evaluated the gradient at the point *after* the momentum move. That is Nesterov's method, a good one; the "
        "heavy ball asked for here takes the gradient at `w`.",
    ),
    Mistake(
        "running mean",
        lambda w, p, gradient, step, m: w + m * (w - p) - (1 - m) * step * gradient(w),
        "You multiplied the gradient by 1 - momentum, as a running mean would (Adam does that). The heavy ball takes "
        "the gradient in full.",
    ),
    Mistake(
        "brake",
        lambda w, p, gradient, step, m: w - m * (w - p) - step * gradient(w),
        "Your momentum points backwards: it undoes part of the last move. The last move was w - previous; *add* its "
        "share.",
    ),
    Mistake(
        "uphill",
        lambda w, p, gradient, step, m: w + m * (w - p) + step * gradient(w),
        "The momentum is right, and the gradient has the wrong sign: subtract step times gradient.",
    ),
    Mistake(
        "no momentum",
        lambda w, p, gradient, step, m: w - step * gradient(w),
        "This is the plain step: `previous` and `momentum` are not used. Add momentum times the last move, w "
        "- previous.",
    ),
    Mistake(
        "gradient of the previous point",
        lambda w, p, gradient, step, m: w + m * (w - p) - step * gradient(p),
        "You took the gradient at `previous`. Take it where you are, at `w`.",
    ),
    Mistake(
        "step and momentum swapped",
        lambda w, p, gradient, step, m: w + step * (w - p) - m * gradient(w),
        "You swapped the two numbers: `momentum` multiplies the last move, `step` the gradient.",
    ),
    Mistake(
        "starts from the previous point",
        lambda w, p, gradient, step, m: p + m * (w - p) - step * gradient(w),
        "You moved on from `previous`. The new point starts at `w`.",
    ),
    Mistake(
        "whole last move",
        lambda w, p, gradient, step, m: w + (w - p) - step * gradient(w),
        "You repeated the whole last move. Only the share `momentum` of it carries on, or the ball would never come to "
        "rest.",
    ),
    Mistake(
        "only the change",
        lambda w, p, gradient, step, m: m * (w - p) - step * gradient(w),
        "That is the move, and it is right. Return the new point: `w` plus this move.",
    ),
    Mistake(
        "momentum in the step size",
        lambda w, p, gradient, step, m: w + m * (w - p - step * gradient(w)),
        "You multiplied the gradient by momentum as well. Only the last move is multiplied by it.",
    ),
)

# --- 4.2.7 beat the best constant step ------------------------------------------------------------

GAIN = 3.0


def _schedule(count: Any, smallest: Any, largest: Any) -> Any:
    return descent.chebyshev_steps(count, smallest, largest)


def _schedule_cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case((int(count), round(float(low), 2), round(float(low * kappa), 1)))
        for count, low, kappa in (
            (4, rng.uniform(0.8, 1.2), rng.uniform(9, 11)),
            (6, rng.uniform(0.8, 1.2), rng.uniform(18, 22)),
            (8, rng.uniform(0.4, 0.6), rng.uniform(40, 60)),
            (12, rng.uniform(1.5, 2.5), rng.uniform(80, 120)),
        )
    ]


def _constant(count: Any, low: Any, high: Any) -> Any:
    return np.full(count, 2 / (low + high))


def _judge(expected: Any, got: Any, case: Case) -> str | None:
    count, low, high = case.args
    try:
        sizes = np.asarray(got, dtype=float)
    except (TypeError, ValueError):
        return "Return an array of step sizes, one number for each step."
    if sizes.shape != (count,):
        return f"Return {count} step sizes, an array of shape ({count},); yours has shape {sizes.shape}."
    if not np.isfinite(sizes).all():
        return "Every step size must be a finite number."
    constant, yours = (descent.worst_case(s, low, high) for s in (_constant(count, low, high), sizes))
    if yours * GAIN <= constant:
        return None
    grid = np.linspace(low, high, 2001)
    with np.errstate(all="ignore"):
        worst = grid[np.argmax(np.abs(np.prod(1 - np.outer(grid, sizes), axis=1)))]
    return (
        f"With your {count} steps the loss of the worst curvature, {worst:.3g}, is multiplied by {yours:.3g}; with the "
        f"best constant step the worst one is multiplied by {constant:.3g}. Yours should be at least {GAIN:g} times "
        "smaller."
    )


_SCHEDULE_MISTAKES = (
    Mistake(
        "best constant step",
        _constant,
        "That is the best *constant* step, the one to beat. Let the steps differ: one that is too long for a steep "
        "direction does no harm if another of the steps shrinks that direction enough.",
    ),
    Mistake(
        "the stable limit",
        lambda count, low, high: np.full(count, 2 / high),
        "With the step 2 / largest curvature the steepest direction jumps from wall to wall and loses nothing.",
    ),
    Mistake(
        "the safe step",
        lambda count, low, high: np.full(count, 1 / high),
        "The step 1 / largest curvature is safe and slow. Even the best constant step, 2 / (smallest + largest), does "
        "better.",
    ),
    Mistake(
        "decaying from the limit",
        lambda count, low, high: 2 / high / np.arange(1, count + 1),
        "Your steps only get smaller than the stable limit. On a bowl without noise that slows every shallow "
        "direction. "
        "Some steps must be *longer* than the limit.",
    ),
    Mistake(
        "one step for each evenly spaced curvature",
        lambda count, low, high: 1 / np.linspace(low, high, count),
        "A fine idea: each step 1/lambda removes one curvature entirely, so you spread them evenly over the range. "
        "Between the removed ones the error grows most near the two *ends* of the range. Crowd the removed "
        "curvatures towards both ends.",
    ),
    Mistake(
        "evenly spaced curvatures, the largest first",
        lambda count, low, high: 1 / np.linspace(high, low, count),
        "You removed curvatures spread evenly, beginning with the steepest. The order makes no difference to the "
        "result. Between them the error grows most near the two *ends* of the range: crowd the removed curvatures there.",
    ),
    Mistake(
        "one step for each curvature, without the ends",
        lambda count, low, high: 1 / np.linspace(low, high, count + 2)[1:-1],
        "You removed curvatures spread evenly, and left out the two ends of the range. There too much is "
        "left: crowd the removed curvatures towards the ends.",
    ),
    Mistake(
        "one step for each curvature, midpoints",
        lambda count, low, high: 1 / (low + (np.arange(count) + 0.5) / count * (high - low)),
        "A fine idea: each step 1/lambda removes one curvature, the middles of equal intervals. Near the two "
        "ends of the "
        "range too much is left. Crowd the removed curvatures towards both ends.",
    ),
    Mistake(
        "evenly spaced in the logarithm",
        lambda count, low, high: 1 / np.geomspace(low, high, count),
        "You removed curvatures evenly spaced in the logarithm, which crowds them at the shallow end. The long steps "
        "then blow up the steep directions. The steep end needs as many as the shallow one.",
    ),
    Mistake(
        "evenly spaced steps",
        lambda count, low, high: np.linspace(1 / high, 1 / low, count),
        "You spread the step sizes evenly. Nearly all of them are then longer than the stable limit, and the steep "
        "directions explode. Think of which curvature 1/step each step removes, and spread those.",
    ),
)

EXERCISES = (
    Exercise(
        id="4.2.1",
        title="One step downhill",
        points=1,
        minutes=3,
        difficulty=1,
        reference=_one_step,
        cases=_step_cases,
        mistakes=_STEP_MISTAKES,
        hints=(
            "The new weights are the old ones plus a change. In which direction does the loss fall?",
            "Against the gradient; the change is minus the step size times the gradient.",
            "`w - step * gradient`. NumPy works on all entries at once, so no loop is needed.",
        ),
    ),
    Exercise(
        id="4.2.2",
        title="The descent loop",
        points=2,
        minutes=8,
        difficulty=1,
        reference=_descend,
        cases=_loop_cases,
        mistakes=_LOOP_MISTAKES,
        hints=(
            "Keep a list that holds the start, and append the new point after each step.",
            "`gradient` is a function: call it as `gradient(w)`, at the point you have reached.",
            "Write `w = w - step * gradient(w)`, not `w -= ...`, which changes the array that is already in your list.",
            "`for _ in range(steps):` with `w = w - step * gradient(w)` and `path.append(w)`; then `np.array(path)`.",
        ),
    ),
    Exercise(
        id="4.2.3",
        title="The largest stable step of a data set",
        points=2,
        minutes=8,
        difficulty=2,
        reference=_stable_step,
        cases=_stable_cases,
        mistakes=_STABLE_MISTAKES,
        hints=(
            "Which curvature diverges first? You need that one and no other.",
            "The Hessian of this loss is X.T X / n. Its eigenvalues are the curvatures.",
            "`np.linalg.eigvalsh` gives the eigenvalues of a symmetric matrix in increasing order.",
            "`2 / np.linalg.eigvalsh(X.T @ X / len(X))[-1]`",
        ),
    ),
    Exercise(
        id="4.2.4",
        title="How many steps does it take?",
        points=2,
        minutes=8,
        difficulty=2,
        reference=descent.steps_to_shrink,
        cases=_count_cases,
        mistakes=_COUNT_MISTAKES,
        rtol=1e-9,
        atol=1e-6,
        hints=(
            "Find the slowest direction. By what number does one step multiply its error?",
            "Its curvature is largest/kappa, so its error is multiplied by 1 - 1/kappa, and its loss by the "
            "square of that.",
            "You want the smallest whole t with (1 - 1/kappa)^(2t) <= 1/factor. Take logarithms; both are negative.",
            "`math.ceil(math.log(factor) / (-2 * math.log(1 - 1 / kappa)))`",
        ),
    ),
    Exercise(
        id="4.2.5",
        title="The exponent in time",
        points=2,
        minutes=10,
        difficulty=2,
        reference=descent.time_exponent,
        cases=_exponent_cases,
        mistakes=_EXPONENT_MISTAKES,
        hints=(
            "Two questions: up to which mode K has the descent come at time t? And how much loss do the modes "
            "after K hold?",
            "Mode k is learned once k^-b t is about 1. Solve for k.",
            "The sum of k^-a over k > K is close to the integral from K on, which goes with K^-(a - 1).",
        ),
    ),
    Exercise(
        id="4.2.6",
        title="A step with momentum",
        points=2,
        minutes=6,
        difficulty=2,
        reference=_momentum_step,
        cases=_momentum_cases,
        mistakes=_MOMENTUM_MISTAKES,
        hints=(
            "Three terms: where you are, a share of the last move, and the plain step.",
            "The last move was `w - previous`. Take the gradient at `w`.",
            "`w + momentum * (w - previous) - step * gradient(w)`",
        ),
    ),
    Exercise(
        id="4.2.7",
        title="Beat the best constant step",
        points=3,
        minutes=15,
        difficulty=3,
        reference=_schedule,
        cases=_schedule_cases,
        compare=_judge,
        mistakes=_SCHEDULE_MISTAKES,
        hints=(
            "A step of size s multiplies the error of curvature lambda by 1 - s lambda. All steps together "
            "multiply it by "
            "a polynomial in lambda. Which curvatures does a single step remove entirely?",
            "Step s removes the curvature 1/s. So you choose `count` curvatures to remove, and want the product "
            "to be small "
            "in between, over the whole range. Start with evenly spaced ones and look where the product is largest.",
            "The polynomial that stays smallest over an interval is Chebyshev's. Its roots are cosines: "
            "cos(pi (i + 1/2) / count) for i = 0 ... count - 1, stretched from [-1, 1] to [smallest, largest].",
        ),
    ),
)
