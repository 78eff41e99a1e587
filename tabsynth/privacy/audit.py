"""Lower bounds on epsilon from what an attacker got right: audits, which refute and never prove.

Epsilon is in nats, tables are neighbours if one row is added to or taken from one of them, and a
bound at level `alpha` is above the true epsilon in at most a share `alpha` of audits. Nothing is
fitted here and no row is seen: what goes in are counts of right and wrong guesses.
"""

from __future__ import annotations

import math

import numpy as np

from tabsynth.errors import ConfigError

MOST_EPSILON = 50.0
"""Bounds are not searched above this."""
_STEPS = 60
_LEAST_LOG_ALPHA = -40.0


def one_run_p_value(
    canaries: int, guesses: int, correct: int, epsilon: float, delta: float = 0.0
) -> float:
    """Return the chance of so many correct guesses if the one run was (epsilon, delta)-private.

    Each canary was among the rows learnt with probability 1/2, independently; the auditor saw what
    came out and said "in" or "out" of some of them.

    Parameters
    ----------
    canaries : int
        Rows whose presence was decided by a fair coin.
    guesses : int
        How many of them the auditor guessed about; fixed before the coins were known.
    correct : int
        How many guesses were right.
    epsilon, delta : float

    Returns
    -------
    float
        In (0, 1]. With W binomial of `guesses` draws at e^epsilon / (1 + e^epsilon) it is
        ``P[W >= correct] + 2 canaries delta max_i P[correct - i <= W < correct] / i``.

    References
    ----------
    Steinke, Nasr and Jagielski (2023), arXiv:2305.08846, theorem 5.2 and appendix D.

    Examples
    --------
    >>> round(one_run_p_value(100, 100, 60, epsilon=0.0), 4)
    0.0284
    """
    from scipy.stats import binom

    _check_counts(canaries=canaries, guesses=guesses, correct=correct)
    if not correct <= guesses <= canaries:
        raise ConfigError(
            f"There cannot be more correct guesses ({correct}) than guesses ({guesses}), nor more "
            f"guesses than canaries ({canaries})."
        )
    _check_budget(epsilon, delta)
    right = 1 / (1 + math.exp(-epsilon))
    p_value = float(binom.sf(correct - 1, guesses, right))
    if delta and correct:
        steps = np.arange(1, correct + 1)
        below = np.cumsum(binom.pmf(correct - steps, guesses, right))
        p_value += 2 * canaries * delta * float((below / steps).max())
    return min(1.0, p_value)


def one_run_epsilon(
    canaries: int, guesses: int, correct: int, *, alpha: float = 0.05, delta: float = 0.0
) -> float:
    """Return the largest epsilon that the guesses of one run refute at level `alpha`.

    Returns
    -------
    float
        0 if nothing is refuted.

    References
    ----------
    Steinke, Nasr and Jagielski (2023), arXiv:2305.08846.

    Examples
    --------
    >>> round(one_run_epsilon(1000, 100, 75, delta=1e-4), 3)
    0.673
    """
    _check_alpha(alpha)

    def refuted(epsilon: float) -> bool:
        return one_run_p_value(canaries, guesses, correct, epsilon, delta) <= alpha

    if not refuted(0.0):
        return 0.0
    low, high = 0.0, MOST_EPSILON
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return low


def rates(
    found: int, with_row: int, wrong: int, without_row: int, alpha: float = 0.05
) -> tuple[float, float]:
    """Return a lower bound on the true positive rate and an upper one on the false positive rate.

    Both hold together at level `alpha`: each is exact at half of it.

    Parameters
    ----------
    found, with_row : int
        Of so many runs with the row, in how many the attack said that it was there.
    wrong, without_row : int
        The same of the runs without it.
    alpha : float

    References
    ----------
    Clopper and Pearson (1934), doi:10.1093/biomet/26.4.404.
    """
    from scipy.stats import beta

    _check_counts(found=found, with_row=with_row, wrong=wrong, without_row=without_row)
    if found > with_row or wrong > without_row:
        raise ConfigError("There cannot be more positive answers than runs.")
    _check_alpha(alpha)
    low = float(beta.ppf(alpha / 2, found, with_row - found + 1)) if found else 0.0
    if wrong == without_row:
        return low, 1.0
    return low, float(beta.ppf(1 - alpha / 2, wrong + 1, without_row - wrong))


def many_run_epsilon(
    found: int,
    with_row: int,
    wrong: int,
    without_row: int,
    *,
    alpha: float = 0.05,
    delta: float = 0.0,
) -> float:
    """Return the epsilon that many runs on two neighbouring tables refute at level `alpha`.

    The rule that turns a run into an answer must not depend on the runs that are counted.

    Parameters
    ----------
    found, with_row, wrong, without_row : int
        As for `rates`.
    alpha, delta : float

    Returns
    -------
    float
        The larger of ``log((TPR - delta) / FPR)`` and ``log((TNR - delta) / FNR)`` at the bounds of
        both rates; 0 if nothing is refuted.

    References
    ----------
    Jagielski, Ullman and Oprea (2020), arXiv:2006.07709.

    Examples
    --------
    >>> round(many_run_epsilon(100, 100, 0, 100), 2)
    3.28
    """
    _check_budget(0.0, delta)
    power, alarms = rates(found, with_row, wrong, without_row, alpha)
    return max(_log_ratio(power - delta, alarms), _log_ratio(1 - alarms - delta, 1 - power))


def many_run_p_value(
    found: int,
    with_row: int,
    wrong: int,
    without_row: int,
    epsilon: float = 0.0,
    delta: float = 0.0,
) -> float:
    """Return the smallest level at which `many_run_epsilon` is above `epsilon`; 1 if none is."""
    _check_budget(epsilon, delta)

    def refuted(log_alpha: float) -> bool:
        alpha = min(math.exp(log_alpha), 1 - 1e-12)
        bound = many_run_epsilon(found, with_row, wrong, without_row, alpha=alpha, delta=delta)
        return bound > epsilon

    low, high = _LEAST_LOG_ALPHA, 0.0
    if not refuted(high):
        return 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if refuted(middle) else (middle, high)
    return min(1.0, math.exp(high))


def gaussian_mu(
    found: int, with_row: int, wrong: int, without_row: int, *, alpha: float = 0.05
) -> float:
    """Return a lower bound on mu, if the mechanism is as private as one Gaussian one (mu-GDP).

    Returns
    -------
    float
        The distance of the two normal quantiles at the bounds of `rates`; 0 if nothing is refuted.

    References
    ----------
    Dong, Roth and Su (2022), arXiv:1905.02383; Nasr et al. (2023), arXiv:2302.07956.

    Examples
    --------
    >>> round(gaussian_mu(100, 100, 0, 100), 2)
    3.59
    """
    from scipy.stats import norm

    power, alarms = rates(found, with_row, wrong, without_row, alpha)
    mu = float(norm.ppf(power) - norm.ppf(alarms))
    return mu if mu > 0 else 0.0


def most_one_run(canaries: int, guesses: int, *, alpha: float = 0.05, delta: float = 0.0) -> float:
    """Return the largest epsilon that one run can refute: with every guess right.

    Examples
    --------
    >>> round(most_one_run(100, 100), 2), round(most_one_run(1000, 1000), 2)
    (3.49, 5.81)
    """
    return one_run_epsilon(canaries, guesses, guesses, alpha=alpha, delta=delta)


def most_many_run(
    with_row: int, without_row: int, *, alpha: float = 0.05, delta: float = 0.0
) -> float:
    """Return the largest epsilon that so many runs can refute: with every answer right.

    Examples
    --------
    >>> [round(most_many_run(n, n), 1) for n in (100, 250, 1000, 5000)]
    [3.3, 4.2, 5.6, 7.2]
    """
    return many_run_epsilon(with_row, with_row, 0, without_row, alpha=alpha, delta=delta)


def fewest_correct(
    canaries: int, guesses: int, *, alpha: float = 0.05, epsilon: float = 0.0, delta: float = 0.0
) -> int | None:
    """Return how many of the guesses of one run must be right to refute epsilon; None if no number.

    Examples
    --------
    >>> fewest_correct(100, 100)
    59
    """
    low, high = 0, guesses + 1
    while low < high:
        middle = (low + high) // 2
        if middle > guesses:
            break
        if one_run_p_value(canaries, guesses, middle, epsilon, delta) <= alpha:
            high = middle
        else:
            low = middle + 1
    return high if high <= guesses else None


def _log_ratio(above: float, below: float) -> float:
    if above <= below:
        return 0.0
    return math.log(above / below) if below > 0 else MOST_EPSILON


def _check_counts(**counts: int) -> None:
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
            raise ConfigError(f"{name} must be 0 or a positive integer. Got {value!r}.")


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ConfigError(f"alpha must lie between 0 and 1. Got {alpha!r}.")


def _check_budget(epsilon: float, delta: float) -> None:
    if not (math.isfinite(epsilon) and epsilon >= 0):
        raise ConfigError(f"epsilon must be 0 or a positive number. Got {epsilon!r}.")
    if not 0 <= delta < 1:
        raise ConfigError(f"delta must be at least 0 and below 1. Got {delta!r}.")
