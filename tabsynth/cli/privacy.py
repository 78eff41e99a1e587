"""What the command line says of a privacy budget, and its account over several fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tabsynth.cli import options
from tabsynth.cli.terminal import Terminal, print_json
from tabsynth.cli.verbs import group, verb
from tabsynth.errors import PrivacyError

if TYPE_CHECKING:
    from tabsynth.fitting import Terms

app = group(
    """Add up what all fits on one table cost, in a file beside it.

    tabsynth odometer create o.json --epsilon 3
    tabsynth deidentify patients.csv --schema schema.yaml --epsilon 1 --odometer o.json
    tabsynth odometer show o.json
    """
)

Account = Annotated[
    str, typer.Argument(metavar="FILE", help="Odometer file (JSON).", show_default=False)
]


def read_terms(
    table: str,
    schema: str | None,
    epsilon: float | None,
    delta: float | None,
    public_rows: int | None,
    accept_inferred_schema: bool,
    odometer: str | None,
) -> Terms | None:
    """Return the terms of a privacy budget, None where there is none.

    Raises
    ------
    PrivacyError
        If there is no schema; it shows the two commands to run.
    ConfigError
        If something is given that has no effect.
    """
    from tabsynth.fitting import terms_of

    terms = terms_of(epsilon, delta, public_rows, accept_inferred_schema, odometer)
    if terms is not None and schema is None and not accept_inferred_schema:
        raise PrivacyError(
            "A privacy budget needs a schema that was reviewed: what each column is, and as far "
            "as it is known without looking at the rows its bounds and categories. Run 'tabsynth "
            f"inspect {table} -o schema.yaml', review and edit that file, then run 'tabsynth "
            f"deidentify {table} --schema schema.yaml --epsilon {epsilon:g}'. Or give "
            "--accept-inferred-schema, which takes the column types and nothing else from the "
            "rows; the result is then not differentially private."
        )
    return terms


@verb(app)
def create(
    context: typer.Context,
    account: Account,
    epsilon: Annotated[
        float,
        typer.Option("--epsilon", metavar="E", help="What all fits together may cost."),
    ],
    delta: options.Delta = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Start the account of a table, with the budget of all fits together."""
    from tabsynth.privacy.budget import DELTA, PrivacyBudget
    from tabsynth.privacy.odometer import Odometer

    terminal = Terminal.of(context, quiet, verbose)
    budget = PrivacyBudget(epsilon, 10 * DELTA if delta is None else delta)
    Odometer.create(account, budget)
    terminal.say(
        f"Wrote {account}: all fits with --odometer {account} may together cost epsilon = "
        f"{budget.epsilon:g} at delta = {budget.delta:g}."
    )


@verb(app)
def show(
    context: typer.Context,
    account: Account,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Show what the fits on a table cost so far."""
    from tabsynth.privacy.odometer import Odometer

    terminal = Terminal.of(context, quiet, verbose)
    odometer = Odometer(account)
    budget, charges, spent = odometer.budget, odometer.charges, odometer.epsilon()
    terminal.table(
        ("Fit", "Epsilon", "Delta", "State"),
        [
            (
                str(number),
                f"{charge.budget.epsilon:g}",
                f"{charge.budget.delta:g}",
                "not finished; counted with its whole budget" if charge.spends is None else "done",
            )
            for number, charge in enumerate(charges, start=1)
        ],
        numbers=(1, 2),
    )
    terminal.say(
        "",
        f"Together they cost epsilon = {spent:.4g} at delta = {budget.delta:g}, of "
        f"{budget.epsilon:g}.",
        *(f"Note: not differentially private: {flaw}." for flaw in odometer.flaws),
    )
    if as_json:
        print_json(
            {
                "schema_version": 1,
                "command": "odometer show",
                "budget": budget.to_dict(),
                "spent_epsilon": spent,
                "fits": [charge.to_dict() for charge in charges],
            }
        )
