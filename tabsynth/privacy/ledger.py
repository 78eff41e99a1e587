"""Ledger: what was spent of a privacy budget, debited before anything is released."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from tabsynth.errors import BudgetExceeded
from tabsynth.privacy.accounting import Spend, epsilon_of, noise_for, zcdp_rho
from tabsynth.privacy.budget import PrivacyBudget

_SLACK = 1 + 1e-6
"""Rounding that an epsilon may have."""


class Ledger:
    """The account of one fit.

    Parameters
    ----------
    budget : PrivacyBudget
    spends : iterable of Spend
        What was spent already.
    flaws : iterable of str
        Why the guarantee does not hold after all, one clause each, such as "column types were
        inferred from the rows"; empty where it holds.

    Examples
    --------
    >>> ledger = Ledger(PrivacyBudget(1.0, 1e-5))
    >>> ledger.debit(Spend("counts of column 'age'", "gaussian", 10.0))
    >>> round(ledger.epsilon(), 4), ledger.left() > 0
    (0.3407, True)
    """

    def __init__(
        self,
        budget: PrivacyBudget,
        spends: Iterable[Spend] = (),
        flaws: Iterable[str] = (),
    ) -> None:
        self.budget, self.spends, self.flaws = budget, list(spends), list(flaws)

    def debit(self, *spends: Spend) -> None:
        """Write releases down, all or none; to be called before any of them is made.

        Raises
        ------
        BudgetExceeded
            If they cost more than what is left; nothing is written down then.
        """
        cost = epsilon_of([*self.spends, *spends], self.budget.delta)
        if cost > self.budget.epsilon * _SLACK:
            names = "; ".join(dict.fromkeys(spend.what for spend in spends))
            raise BudgetExceeded(
                f"Releasing {names} would bring the cost to epsilon = {cost:.4g} at delta = "
                f"{self.budget.delta:g}, above the budget of {self.budget.epsilon:g}; "
                f"{self.epsilon():.4g} is spent. Give a larger epsilon, or declare more of the "
                "schema so that less has to be bought."
            )
        self.spends += spends

    def epsilon(self, *, replace_one: bool = False) -> float:
        """Return what is spent, at the delta of the budget."""
        return epsilon_of(self.spends, self.budget.delta, replace_one=replace_one)

    def delta_left(self) -> float:
        """Return the delta that thresholds have not used."""
        return self.budget.delta - sum(spend.delta for spend in self.spends)

    def left(self) -> float:
        """Return the zero-concentrated rho that Gaussian and exponential releases may still cost.

        0 once there was a sampled release, which is not counted in it.
        """
        spent = sum(spend.rho for spend in self.spends)
        if not math.isfinite(spent) or self.delta_left() <= 0:
            return 0.0
        # A hair less than all of it, which summing up in another order may cost.
        return max(0.0, zcdp_rho(self.budget.epsilon, self.delta_left()) * (1 - 1e-9) - spent)

    def noise_for(self, rate: float, steps: int) -> float:
        """Return the noise multiplier of sampled Gaussian steps that use up what is left."""
        return noise_for(self.spends, rate, steps, self.budget.epsilon, self.budget.delta)

    @property
    def holds(self) -> bool:
        """Whether the guarantee holds."""
        return not self.flaws

    def statement(self) -> str:
        """Return the guarantee in one sentence, or why there is none."""
        if self.flaws:
            return f"Not differentially private: {'; '.join(self.flaws)}."
        return (
            f"(epsilon = {self.budget.epsilon:.2f}, delta = {self.budget.delta:.0e})-differential "
            "privacy for adding or removing one row, assuming the declared schema was chosen "
            "without looking at the data."
        ).replace("e-0", "e-")

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: all of it may be published."""
        return {
            "mechanism": "differential privacy" if self.holds else "none",
            "statement": self.statement(),
            "budget": self.budget.to_dict(),
            "spent": {
                "epsilon": self.epsilon(),
                "replace_one_epsilon": self.epsilon(replace_one=True),
                "delta": self.budget.delta,
            },
            "unit": "row",
            "trust_model": "central: whoever runs the fit sees the rows",
            "spends": [spend.to_dict() for spend in self.spends],
            "flaws": list(self.flaws),
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Ledger:
        """Rebuild from the JSON form."""
        spends = [Spend.from_dict(spend) for spend in state["spends"]]
        return cls(PrivacyBudget.from_dict(state["budget"]), spends, state["flaws"])
