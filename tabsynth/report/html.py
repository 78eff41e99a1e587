"""The report: one HTML page that holds all it needs and asks the network for nothing."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from tabsynth.evaluation.result import Evaluation
from tabsynth.report import bars, charts, clauses, formal, pages, roc
from tabsynth.report.findings import sample_sizes, smallest_leak, tallies, trials
from tabsynth.report.shareable import CAVEAT, ROWS, to_shareable
from tabsynth.report.verdict import find_leaks, in_short, rows_text
from tabsynth.report.words import clean, entries, finite, label, number, percent, span

_JOINT = re.compile(r"([_./-])(?=.)")

if TYPE_CHECKING:
    from jinja2 import Environment


def to_html(evaluation: Evaluation, shareable: bool = False) -> str:
    """Return an evaluation as one self-contained HTML page.

    Parameters
    ----------
    evaluation : Evaluation
        ``provenance["table"]`` (else ``"source"``) is the title and ``provenance["date"]`` the
        date, where given.
    shareable : bool
        Return the page that holds no statistic of real rows (`to_shareable`) instead.

    Returns
    -------
    str
        The same text for the same evaluation.

    Notes
    -----
    Privacy: the page shows distributions of the real rows exactly. It is for those who may see the
    real table. The shareable page shows words that depend on real rows, and numbers of rows, both
    outside any formal guarantee.
    """
    if shareable:
        return _shareable(evaluation)
    full, small = pages.marginals(evaluation.columns)
    predicted = bars.predictions(evaluation)
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
            predictions=bars.draw_predictions(predicted, "c-bars") if len(predicted) > 1 else None,
            predicted=predicted,
            disclosure=pages.parts(evaluation),
            curves=[
                (curve, roc.draw_roc(curve, f"c-roc-{place}"), roc.above(curve))
                for place, curve in enumerate(roc.rocs(evaluation))
            ],
            attack_model=clauses.attack_model(evaluation),
            mitigation=clauses.mitigation(evaluation.columns),
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
            drawn_pairs=pages.drawn_pairs(evaluation),
            elements=formal.elements(evaluation),
            uncovered=formal.uncovered(evaluation),
            formal=formal.further(evaluation),
            budget=bars.draw_budget(formal.spends(evaluation), "c-budget"),
            adds_up=formal.adds_up(evaluation),
            ledger=pages.ledger(evaluation),
            provenance=entries(evaluation.provenance),
            row_counts=[(label(name), number(n)) for name, n in evaluation.rows.items()],
        )
    )


def _shareable(evaluation: Evaluation) -> str:
    """Return the page without a statistic of real rows; its template sees nothing but words."""
    found = to_shareable(evaluation)
    return (
        _environment()
        .get_template("shareable.html")
        .render(
            found=found,
            caveat=CAVEAT,
            rows=[(ROWS[name], number(n)) for name, n in found.rows.items()],
            versions=list(found.versions.items()),
            elements=list(found.formal.items()),
            budget=bars.draw_budget(found.spends, "c-budget"),
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
    environment.globals["clauses"] = clauses
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
