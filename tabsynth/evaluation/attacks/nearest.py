"""Attacks by the distance to the nearest synthetic row, as it is or compared with a reference."""

from __future__ import annotations

import numpy as np

from tabsynth.evaluation.attacks.base import Attack, Scene, attacks


@attacks.register("nearest")
class Nearest(Attack):
    """The nearer a synthetic row, the likelier a training row."""

    title = "nearest synthetic row"
    order = 10
    needs_reference = False
    is_quick = True

    def score(self, scene: Scene) -> np.ndarray:
        """Return minus the distance to the nearest synthetic row."""
        near: np.ndarray = -scene.to_synthetic.first
        return near


@attacks.register("difference")
class Difference(Attack):
    """A row is suspect where a synthetic row is nearer than real rows of others are.

    References
    ----------
    Chen et al. (2020), doi:10.1145/3372297.3417238 (calibration by a reference).
    """

    title = "distance compared with a reference (difference)"
    order = 20
    is_quick = True

    def score(self, scene: Scene) -> np.ndarray:
        """Return how much nearer the nearest synthetic row is than the nearest reference row."""
        nearer: np.ndarray = (
            scene.to_reference.first - scene.to_synthetic.first[: scene.n_calibrated]
        )
        return nearer


@attacks.register("ratio")
class Ratio(Attack):
    """As `Difference`, in proportion, so that rows of crowded places count as much as lonely ones.

    References
    ----------
    Chen et al. (2020), doi:10.1145/3372297.3417238 (calibration by a reference).
    """

    title = "distance compared with a reference (ratio)"
    order = 30
    is_quick = True

    def score(self, scene: Scene) -> np.ndarray:
        """Return the logarithm of how many times nearer the nearest synthetic row is."""
        near = scene.to_synthetic.first[: scene.n_calibrated]
        usual = scene.to_reference.first
        small = 0.01 * float(np.median(usual)) + 1e-6
        ratio: np.ndarray = np.log((usual + small) / (near + small))
        return ratio
