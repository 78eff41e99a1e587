"""Wording: what methods of auditing say alike, and how a word is chosen."""

from __future__ import annotations

from tabsynth.audit.base import Setting
from tabsynth.evaluation.result import Word

NEVER_PROOF = (
    "An audit can refute that little is given away, never prove it: a better attack may find more."
)

NO_SCHEMA = (
    "An audit of a declared epsilon fits under that budget, which needs a schema that was written "
    "down without looking at the rows. Let tabsynth propose one ('tabsynth inspect -o'), review "
    "it, and pass it on (schema=, or --schema). Or leave epsilon out, to audit fits without a "
    "budget."
)
"""Why a declared epsilon is not audited without a schema."""


def word_of(setting: Setting, adjusted: float, able: bool) -> Word:
    """Return the word of a method.

    Parameters
    ----------
    setting : Setting
    adjusted : float
        The smallest p-value, corrected for all findings of the method.
    able : bool
        Whether an attack without a mistake would have been told from chance.
    """
    if adjusted <= setting.level:
        return "leak detected"
    return "no leak detected at this power" if able else "inconclusive"


def reasons_of(
    setting: Setting, word: Word, epsilon: float, largest: float, found: str
) -> tuple[str, ...]:
    """Return why the word was chosen.

    Parameters
    ----------
    setting : Setting
    word : str
    epsilon, largest : float
    found : str
        What the attack found, as a sentence.
    """
    bound = (
        f"Epsilon is at least {epsilon:.2f} with {100 * (1 - setting.level):.3g}% confidence "
        f"(delta = {setting.delta:g})."
    )
    if word == "leak detected":
        if setting.claim is None:
            return (found, bound) if epsilon > 0 else (found,)
        return (found, bound, f"The claim of epsilon = {setting.claim:g} is refuted.")
    if word == "inconclusive":
        return (
            found,
            f"Even an attack without a mistake could have refuted no epsilon above {largest:.2f}"
            + ("" if setting.claim is None else f", and {setting.claim:g} is declared")
            + ". Take more runs or canaries.",
        )
    compared = () if epsilon <= 0 and setting.claim is None else (bound,)
    if setting.claim is not None:
        compared = (*compared, f"That does not refute the declared epsilon = {setting.claim:g}.")
    return (found, *compared, NEVER_PROOF)
