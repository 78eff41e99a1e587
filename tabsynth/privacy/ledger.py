"""Ledger: what was spent of a privacy budget, debited before anything is released."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

from tabsynth.errors import BudgetExceeded, PrivacyError
from tabsynth.privacy.accounting import Spend, epsilon_of, gaussian_rho, noise_for, zcdp_rho
from tabsynth.privacy.budget import PrivacyBudget
from tabsynth.privacy.choices import choice_epsilon, choice_mu

Account = Literal["zcdp", "gaussian"]
"""How choices are counted together with noise (see `epsilon_of`)."""
NO_GUARANTEE = "no differential privacy: noise, without a guarantee"
TRUST_MODEL = "central: whoever runs the fit sees the rows and is trusted with them"
UNIT = "one row; not a person who has several"
NOT_COVERED = (
    "Several rows of one person: the unit is one row.",
    "Other fits and other releases of the same rows: what they cost adds up.",
    "A report that compares synthetic rows with the real ones, and everything in it.",
    "A declared schema that was written with the rows in view.",
    "What is true of the population: it can be learnt about anybody, in the table or not.",
    "Running times and memory, and rounding in the arithmetic of training (32-bit floats).",
)
"""What a budget never covers."""
_NEIGHBOURS = {"add-remove": "adding or removing one row"}
_HAIR = 1e-9
"""Left over of a budget, since summing up in another order may round otherwise."""


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
    facts : mapping of str to JSON value, optional
        What else a reader has to know, such as ``{"rows": "noisy"}``; nothing that was read off
        the rows.
    account : {"zcdp", "gaussian"}
        What choices are counted in, with the noise beside them: fixed for the whole fit.

    Notes
    -----
    Privacy: everything here may be published. What is written down are the parameters of releases,
    which are fixed before the rows are looked at, and names of columns.

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
        facts: Mapping[str, Any] | None = None,
        account: Account = "zcdp",
    ) -> None:
        if account not in get_args(Account):
            names = ", ".join(map(repr, get_args(Account)))
            raise PrivacyError(f"account must be one of {names}. Got {account!r}.")
        self.account: Account = account
        self.budget, self.spends, self.flaws = budget, list(spends), list(flaws)
        self.facts: dict[str, Any] = dict(facts or {})

    def debit(self, *spends: Spend) -> None:
        """Write releases down, all or none; to be called before any of them is made.

        Raises
        ------
        BudgetExceeded
            If they cost more than what is left; nothing is written down then.
        """
        cost = self._cost([*self.spends, *spends])
        if not cost <= self.budget.epsilon:
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
        return self._cost(self.spends, replace_one=replace_one)

    def _cost(self, spends: Iterable[Spend], *, replace_one: bool = False) -> float:
        """Return what releases cost together, in this account."""
        gaussian = self.account == "gaussian"
        return epsilon_of(spends, self.budget.delta, replace_one=replace_one, gaussian=gaussian)

    def delta_left(self) -> float:
        """Return the delta that thresholds have not used."""
        return self.budget.delta - math.fsum(spend.delta for spend in self.spends)

    def left(self) -> float:
        """Return the rho that Gaussian releases and choices may still cost.

        0 once there was a sampled release, which is not counted in it. Whatever costs no more can
        be debited; Gaussian releases cost 1 over twice their squared noise, choices see `choice`.
        """
        spent = math.fsum(self._rho(spend) for spend in self.spends)
        if not math.isfinite(spent) or self.delta_left() <= 0:
            return 0.0
        largest = gaussian_rho if self.account == "gaussian" else zcdp_rho
        most = largest(self.budget.epsilon, self.delta_left())
        return max(0.0, most * (1 - _HAIR) - spent)

    def _rho(self, spend: Spend) -> float:
        """Return what a release costs of `left`."""
        if self.account == "gaussian" and spend.mechanism == "exponential":
            return spend.steps * choice_mu(spend.noise) ** 2 / 2
        return spend.rho

    def choice(self, rho: float) -> float:
        """Return the epsilon of a choice that costs `rho` of what is left."""
        if self.account == "gaussian":
            return choice_epsilon(math.sqrt(2 * rho))
        return math.sqrt(8 * rho)

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
        epsilon = self.budget.epsilon
        # Rounding would claim less than was spent.
        shown = f"{epsilon:.2f}" if round(epsilon, 2) == epsilon else f"{epsilon!r}"
        delta = f"{self.budget.delta!r}".replace("e-0", "e-")
        return (
            f"(epsilon = {shown}, delta = {delta})-differential privacy for "
            f"{_NEIGHBOURS[self.budget.neighbours]}, assuming the declared schema was chosen "
            "without looking at the data."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, which reports show: all of it may be published.

        `epsilon`, `delta` and `neighbours` are there only where the guarantee holds, since they
        claim it. What was spent is there in any case.
        """
        claim: dict[str, Any] = {}
        if self.holds:
            claim = {
                "epsilon": self.budget.epsilon,
                "delta": self.budget.delta,
                "neighbours": _NEIGHBOURS[self.budget.neighbours],
                "unit": UNIT,
            }
        return {
            "mechanism": "differential privacy" if self.holds else NO_GUARANTEE,
            "statement": self.statement(),
            **claim,
            "trust_model": TRUST_MODEL,
            "budget": self.budget.to_dict(),
            "account": self.account,
            "spent": {
                "epsilon": _figure(self.epsilon()),
                "epsilon_of_replacing_one_row": _figure(self.epsilon(replace_one=True)),
                "delta": self.budget.delta,
            },
            "spends": [self._entry(spend) for spend in self.spends],
            "facts": dict(self.facts),
            "not_covered": list(NOT_COVERED) if self.holds else [],
            "flaws": list(self.flaws),
        }

    def _entry(self, spend: Spend) -> dict[str, Any]:
        """Return a release with what it would cost by itself."""
        alone = {"epsilon": _figure(self._cost([spend]))}
        if math.isfinite(spend.rho):
            alone["rho"] = spend.rho
        return {**spend.to_dict(), **alone}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Ledger:
        """Rebuild from the JSON form.

        Raises
        ------
        PrivacyError
            If something is missing or not allowed.
        """
        try:
            return cls(
                PrivacyBudget.from_dict(state["budget"]),
                [Spend.from_dict(spend) for spend in state["spends"]],
                [str(flaw) for flaw in state["flaws"]],
                state.get("facts"),
                state.get("account", "zcdp"),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise PrivacyError(
                "A privacy ledger has budget, spends and flaws. Something is missing or damaged."
            ) from None


def _figure(value: float) -> float | None:
    """Return a number that JSON knows; None for infinity."""
    return value if math.isfinite(value) else None
