"""Odometer: what all fits on one table cost together, kept in a file beside it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tabsynth.errors import BudgetExceeded, PrivacyError
from tabsynth.privacy.accounting import epsilon_of
from tabsynth.privacy.budget import PrivacyBudget
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.spend import Spend

VERSION = 1
PATIENCE = 30.0
"""Seconds to wait for another process that writes."""
_PAUSE = 0.02


@dataclass(frozen=True)
class Charge:
    """One fit.

    Attributes
    ----------
    key : str
        A random name.
    budget : PrivacyBudget
        What it was allowed to cost.
    spends : tuple of Spend or None
        What it did release; None where that is not known, as the fit goes on or died.
    flaws : tuple of str
        Why its guarantee does not hold, where it does not.
    """

    key: str
    budget: PrivacyBudget
    spends: tuple[Spend, ...] | None = None
    flaws: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        spends = None if self.spends is None else [spend.to_dict() for spend in self.spends]
        return {
            "key": self.key,
            "budget": self.budget.to_dict(),
            "spends": spends,
            "flaws": list(self.flaws),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Charge:
        """Rebuild from the JSON form."""
        spends = state["spends"]
        return cls(
            _text(state["key"]),
            PrivacyBudget.from_dict(state["budget"]),
            None if spends is None else tuple(Spend.from_dict(spend) for spend in spends),
            tuple(_text(flaw) for flaw in state["flaws"]),
        )


@dataclass
class _State:
    budget: PrivacyBudget
    charges: list[Charge] = field(default_factory=list)


class Odometer:
    """The account of a table over all fits that are told about it.

    Parameters
    ----------
    path : str or path
        A file that `create` made. It belongs to one table: whoever names another one for the same
        rows starts again at nothing, which no file can find out.

    Notes
    -----
    A fit is charged before it begins, with the whole budget that it may use, and settled when it
    is done, with what it did release. A fit that dies keeps its charge. What settled fits released
    is composed by the one accountant, at the delta that is left when the charges that are not
    settled have taken theirs; the epsilon of these is added (basic composition). Where all budgets
    simply added up are less, that is the cost. The total has to be fixed before the first fit.

    Privacy: the file holds budgets, parameters of releases and names of columns, and no value of
    the table. It is as public as they are.

    References
    ----------
    Rogers, Roth, Ullman and Vadhan (2016), arXiv:1605.08294 (privacy odometers and filters).
    Feldman and Zrnic (2021), arXiv:2008.11193.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name, "patients.odometer.json")
    >>> odometer = Odometer.create(path, PrivacyBudget(3.0, 1e-6))
    >>> ledger = Ledger(PrivacyBudget(1.0, 1e-7))
    >>> with odometer.charged(ledger):
    ...     ledger.debit(Spend("number of rows", "gaussian", 10.0))
    >>> round(odometer.epsilon(), 2)
    0.4
    >>> folder.cleanup()
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.realpath(path))
        self._read()

    @classmethod
    def create(cls, path: str | os.PathLike[str], budget: PrivacyBudget) -> Odometer:
        """Start the account of a table.

        Parameters
        ----------
        path : str or path
            Where no file is yet.
        budget : PrivacyBudget
            What all fits together may cost.

        Raises
        ------
        PrivacyError
            If there is a file already, or it cannot be written.
        """
        target = Path(os.path.realpath(path))
        with _locked(target):
            if target.exists():
                raise PrivacyError(
                    f"{target.name} exists already and was left as it is. An odometer is started "
                    "once for a table; go on with it."
                )
            _write(target, _State(budget))
        return cls(target)

    @property
    def budget(self) -> PrivacyBudget:
        """What all fits together may cost."""
        return self._read().budget

    @property
    def charges(self) -> tuple[Charge, ...]:
        """All fits so far."""
        return tuple(self._read().charges)

    @property
    def flaws(self) -> tuple[str, ...]:
        """Why nothing is guaranteed for the table, if a fit had a flaw; each once."""
        return tuple(dict.fromkeys(flaw for charge in self.charges for flaw in charge.flaws))

    def epsilon(self) -> float:
        """Return what all fits cost together, at the delta of the budget."""
        state = self._read()
        return _together(state.charges, state.budget.delta)

    def charge(self, ledger: Ledger) -> str:
        """Write a fit down with its whole budget; to be called before it begins.

        Returns
        -------
        str
            The key to settle it with.

        Raises
        ------
        BudgetExceeded
            If it and the fits before it may cost more than the budget of the table; nothing is
            written then.
        PrivacyError
            If the file is damaged or cannot be written, or another process does not let go of it.
        """
        with _locked(self.path):
            state = self._read()
            new = Charge(secrets.token_hex(8), ledger.budget, None, tuple(ledger.flaws))
            cost = _together([*state.charges, new], state.budget.delta)
            if not cost <= state.budget.epsilon:
                raise BudgetExceeded(self._refusal(state, ledger.budget, cost))
            state.charges.append(new)
            _write(self.path, state)
        return new.key

    def settle(self, key: str, ledger: Ledger) -> None:
        """Replace the charge of a fit by what it released; to be called when it is done.

        Raises
        ------
        PrivacyError
            If there is no such charge, or it was settled before, or the ledger has another budget.
        """
        with _locked(self.path):
            state = self._read()
            places = [place for place, old in enumerate(state.charges) if old.key == key]
            if len(places) != 1:
                raise PrivacyError(f"{self.path.name} knows no fit of that key. Charge it first.")
            old = state.charges[places[0]]
            if old.spends is not None or old.budget != ledger.budget:
                raise PrivacyError("A fit is settled once, with the budget it was charged with.")
            state.charges[places[0]] = Charge(
                key, old.budget, tuple(ledger.spends), tuple(ledger.flaws)
            )
            _write(self.path, state)

    @contextmanager
    def charged(self, ledger: Ledger) -> Iterator[None]:
        """Charge a fit before the block, and settle it when the block ends well.

        Raises
        ------
        BudgetExceeded, PrivacyError
            As `charge` does; the block does not begin then.
        """
        key = self.charge(ledger)
        yield
        self.settle(key, ledger)

    def _refusal(self, state: _State, asked: PrivacyBudget, cost: float) -> str:
        total = state.budget
        free = "draw more rows from a model that is fitted already, which is free"
        room = total.epsilon - _together(state.charges, total.delta - asked.delta)
        if asked.delta >= total.delta:
            advice = f"Take a delta well below {total.delta:g} for each fit"
        elif room > 0:
            advice = f"Take an epsilon of at most {_rounded_down(room)}, or {free}"
        else:
            advice = free.capitalize()
        bound = "without bound" if math.isinf(cost) else f"epsilon = {cost:.4g}"
        return (
            f"With this fit (epsilon = {asked.epsilon:g}, delta = {asked.delta:g}) and "
            f"{len(state.charges)} before it, the cost of this table could be {bound} at delta = "
            f"{total.delta:g}, above the {total.epsilon:g} that {self.path.name} allows. {advice}."
        )

    def _read(self) -> _State:
        """Return what the file says.

        Raises
        ------
        PrivacyError
            If it is not there or damaged.
        """
        name = self.path.name
        try:
            text = self.path.read_text("utf-8")
        except FileNotFoundError:
            raise PrivacyError(
                f"There is no {name}. Start it with the budget of the table: "
                "Odometer.create(path, PrivacyBudget(epsilon, delta))."
            ) from None
        except (OSError, UnicodeDecodeError):
            raise PrivacyError(f"{name} cannot be read. {_DAMAGED}") from None
        try:
            document = json.loads(text)
            if document["tabsynth_odometer"] != VERSION:
                raise PrivacyError("version")
            charges = [Charge.from_dict(charge) for charge in document["charges"]]
            if len({charge.key for charge in charges}) < len(charges):
                raise PrivacyError("keys")
            return _State(PrivacyBudget.from_dict(document["budget"]), charges)
        except (ValueError, KeyError, TypeError, AttributeError, PrivacyError):
            raise PrivacyError(f"{name} is no odometer, or is damaged. {_DAMAGED}") from None


_DAMAGED = (
    "It was left as it is, and no fit was begun. Restore it from a copy; starting again would "
    "forget what was spent."
)


def _together(charges: list[Charge], delta: float) -> float:
    """Return the epsilon of all charges together, at `delta`."""
    open_ones = [charge.budget for charge in charges if charge.spends is None]
    spends = [spend for charge in charges for spend in charge.spends or ()]
    left = delta - math.fsum(budget.delta for budget in open_ones)
    if left < 0 or (spends and left == 0):
        return math.inf
    cost = math.fsum(budget.epsilon for budget in open_ones) + epsilon_of(spends, left)
    every = [charge.budget for charge in charges]
    if math.fsum(budget.delta for budget in every) <= delta:
        cost = min(cost, math.fsum(budget.epsilon for budget in every))
    return cost


def _rounded_down(value: float) -> str:
    """Return a positive number in three digits, not above it."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return f"{math.floor(value / unit) * unit:.3g}"


def _write(path: Path, state: _State) -> None:
    """Put a whole new file in the place of the old one, in one step."""
    document = {
        "tabsynth_odometer": VERSION,
        "budget": state.budget.to_dict(),
        "charges": [charge.to_dict() for charge in state.charges],
    }
    temporary = path.with_name(f".{secrets.token_hex(4)}.part.{path.name}")
    try:
        with open(temporary, "x", encoding="utf-8") as file:
            json.dump(document, file, indent=1, allow_nan=False, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise _unwritable(path, error) from None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the only right to change a file, by a second file beside it."""
    lock = path.with_name(f"{path.name}.lock")
    end = time.monotonic() + PATIENCE
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            break
        except FileExistsError:
            if time.monotonic() >= end:
                raise PrivacyError(
                    f"Another process holds {path.name}. Wait until its fit has begun or ended. "
                    f"If there is none, one was killed while it wrote: remove {lock.name}."
                ) from None
            time.sleep(_PAUSE)
        except OSError as error:
            raise _unwritable(path, error) from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.unlink()


def _unwritable(path: Path, error: OSError) -> PrivacyError:
    reason = os.strerror(error.errno) if error.errno else "the file could not be written"
    return PrivacyError(
        f"Cannot write {path.name}: {reason}. No fit was begun; change the permissions of its "
        "folder or choose another path."
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
