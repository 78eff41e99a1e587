"""Attack by influence: which rows make the synthetic rows around them likelier."""

from __future__ import annotations

import numpy as np

from tabsynth.evaluation.attacks.base import NEAREST, Attack, Scene, attacks
from tabsynth.evaluation.distance import neighbours


@attacks.register("likelihood")
class LocalLikelihood(Attack):
    """By how much a row raises the likelihood of the synthetic rows nearest to it.

    The density at a synthetic row is estimated from the reference by its nearest rows; adding the
    candidate to the reference raises it by a Gaussian kernel whose bandwidth is the distance to
    the last of those. The score is the sum over the synthetic rows nearest to the candidate of the
    logarithm of that raise. So a synthetic row where the reference is sparse, which the reference
    explains badly, tells more about whoever lies beside it.

    References
    ----------
    After the idea of local likelihood ratios of Ward et al. (2025), arXiv:2508.21146 (Gen-LRA).
    """

    title = "local likelihood (Gen-LRA)"
    order = 50

    def score(self, scene: Scene) -> np.ndarray:
        """Return the sum of the raises of log-likelihood."""
        around = neighbours(scene.synthetic_points, scene.reference_points, NEAREST)
        width = around.distances[:, -1] + 1e-6 + 0.01 * float(np.median(around.distances[:, -1]))
        found, n = scene.to_synthetic, scene.n_calibrated
        gaps = found.distances[:n] / width[found.places[:n]]
        raises = np.log1p(np.exp(-0.5 * gaps**2) / around.distances.shape[1])
        summed: np.ndarray = raises.sum(axis=1)
        return summed
