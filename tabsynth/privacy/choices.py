"""Choices of the exponential mechanism as Gaussian releases: how much noise tells as much.

A choice at epsilon has a bounded range: the logarithms of how much likelier results are with a row
than without lie within epsilon of each other. Its trade-off function is therefore at least that of
two results, with likelihood ratios e^t and e^(t - epsilon) for some t, which is two straight lines.
A Gaussian trade-off function is convex, so that it lies below them as soon as it lies below the
corner where they meet. Of all t the corner of epsilon / 2 is the lowest.
"""

from __future__ import annotations

import math

_FAR = 2.0
"""From here on logarithms of tails are more exact than differences from 1/2."""


def choice_mu(epsilon: float) -> float:
    """Return the mu of Gaussian differential privacy of a choice at `epsilon`.

    What it tells is no more than a Gaussian release tells whose noise is 1 / mu times its
    sensitivity.

    References
    ----------
    Dong, Roth and Su (2022), arXiv:1905.02383 (trade-off functions). Dong, Durfee and Rogers
    (2020), arXiv:1909.13830 (bounded range).

    Examples
    --------
    >>> round(choice_mu(1.0), 4), round(choice_mu(100.0), 4)
    (0.6239, 19.3497)
    """
    from scipy.special import erfinv, ndtri_exp

    if epsilon < _FAR:
        return 2 * math.sqrt(2) * float(erfinv(math.tanh(epsilon / 4)))
    return -2 * float(ndtri_exp(-(epsilon / 2 + math.log1p(math.exp(-epsilon / 2)))))


def choice_epsilon(mu: float) -> float:
    """Return the epsilon of a choice that tells as much as `mu`.

    Examples
    --------
    >>> round(choice_epsilon(choice_mu(0.3)), 12), round(choice_epsilon(choice_mu(30.0)), 9)
    (0.3, 30.0)
    """
    from scipy.special import log_ndtr

    if mu < _FAR / 2:
        return 4 * math.atanh(math.erf(mu / (2 * math.sqrt(2))))
    return 2 * float(log_ndtr(mu / 2) - log_ndtr(-mu / 2))
