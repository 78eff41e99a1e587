"""The report: one HTML page that holds all it needs and asks the network for nothing."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from tabsynth.evaluation.result import Evaluation
from tabsynth.report import charts, pages
from tabsynth.report.findings import sample_sizes, smallest_leak, tallies, trials
from tabsynth.report.verdict import find_leaks, in_short, rows_text
from tabsynth.report.words import clean, entries, finite, label, number, percent, span

_JOINT = re.compile(r"([_./-])(?=.)")

if TYPE_CHECKING:
    from jinja2 import Environment


def to_html(evaluation: Evaluation) -> str:
    """Return an evaluation as one self-contained HTML page.

    Parameters
    ----------
    evaluation : Evaluation
        ``provenance["table"]`` (else ``"source"``) is the title and ``provenance["date"]`` the
        date, where given.

    Returns
    -------
    str
        The same text for the same evaluation.

    Notes
    -----
    Privacy: the page shows distributions of the real rows exactly. It is for those who may see the
    real table; `to_card` is for everybody else.
    """
    full, small = pages.marginals(evaluation.columns)
    privacy = evaluation.privacy
    return (
        _environment()
        .get_template("report.html")
        .render(
            evaluation=evaluation,
            table=table_name(evaluation),
            date=evaluation.provenance.get("date"),
            rows=rows_text(evaluation),
            lines=in_short(evaluation),
            fidelity=pages.panels(evaluation, "fidelity"),
            utility=pages.panels(evaluation, "utility"),
            fairness=pages.panels(evaluation, "fairness"),
            disclosure=pages.parts(evaluation),
            validity=pages.panels(evaluation, "validity"),
            stability=pages.stability(evaluation),
            finding=find_leaks(evaluation),
            verdict=evaluation.verdict,
            power=smallest_leak(evaluation.verdict),
            sizes=sample_sizes(evaluation),
            tallies=tallies(evaluation.verdict),
            trials=trials(evaluation.verdict),
            not_covered=pages.not_covered(evaluation),
            marginals=full,
            small_marginals=small,
            heat=charts.draw_heat(evaluation.pairs, "c-pairs"),
            pair_table=pages.pair_table(evaluation.pairs),
            n_compared=sum(finite(column.tvd) is not None for column in evaluation.columns),
            worst_pairs=pages.worst_pairs(evaluation),
            formal=entries({k: v for k, v in privacy.items() if k not in ("statement", "ledger")}),
            ledger=pages.ledger(evaluation),
            provenance=entries(evaluation.provenance),
            row_counts=[(label(name), number(n)) for name, n in evaluation.rows.items()],
        )
    )


def table_name(evaluation: Evaluation) -> str:
    """Return what the table is called; empty where nobody said."""
    provenance = evaluation.provenance
    for key in ("table", "source"):
        if isinstance(provenance.get(key), str) and provenance[key].strip():
            return str(provenance[key])
    return ""


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("tabsynth.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=_printable,
    )
    environment.filters.update(
        number=number, percent=percent, span=span, finite=finite, breakable=_breakable
    )
    return environment


def _breakable(text: Any) -> Any:
    """Return a name as markup in which a line may end after a joint such as an underscore."""
    from markupsafe import Markup, escape

    name = clean(str(text)).strip() or "(blank)"
    return Markup(_JOINT.sub(r"\1<wbr>", str(escape(name))))


def _printable(value: Any) -> Any:
    """Return text without unprintable characters; what is markup already stays as it is."""
    return clean(value) if type(value) is str else value
