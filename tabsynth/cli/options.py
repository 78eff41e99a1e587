"""The options that several verbs share."""

from __future__ import annotations

from typing import Annotated

import typer

Table = Annotated[
    str,
    typer.Argument(
        metavar="IN",
        help="Table: .csv, .tsv, .jsonl (each also .gz) or .parquet; '-' is standard input.",
        show_default=False,
    ),
]
SchemaFile = Annotated[
    str | None,
    typer.Option(
        "--schema",
        metavar="FILE",
        help="Schema that says what each column is, as 'tabsynth inspect -o' writes it.",
    ),
]
Missing = Annotated[
    list[str] | None,
    typer.Option(
        "--missing",
        metavar="TEXT",
        help="Cell text that means missing, besides the empty cell. Repeat for more.",
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        "--delimiter",
        metavar="CHAR",
        help="Character between the cells of a CSV file; found out by default.",
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="Encoding of a text file, such as cp1252; UTF-8 by default.",
    ),
]
InputFormat = Annotated[
    str | None,
    typer.Option(
        "--input-format",
        "--format",
        metavar="FORMAT",
        help="csv, jsonl or parquet, where the suffix does not say it.",
    ),
]
Target = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="COLUMN",
        help="Column that people will predict; utility is measured for it. Repeat for more.",
    ),
]
FailUnder = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-under",
        metavar="SCORE=VALUE",
        help="Exit with 5 where a score is worse than this, such as c2st=0.7. Repeat for more.",
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Model to learn with; 'tabsynth models' lists them, 'auto' chooses by the size.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Hyper-parameter of the model, such as epochs=50. Repeat for more.",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        min=0,
        help="Makes the result reproducible; drawn, printed and stored by default.",
    ),
]
Epsilon = Annotated[
    float | None,
    typer.Option(
        "--epsilon",
        metavar="E",
        help="Fit with differential privacy at this epsilon, such as 1; needs --schema.",
    ),
]
Delta = Annotated[
    float | None,
    typer.Option(
        "--delta",
        metavar="D",
        help="With --epsilon: the chance that the bound does not hold; 1e-6 by default.",
    ),
]
PublicRows = Annotated[
    int | None,
    typer.Option(
        "--public-rows",
        metavar="N",
        help="With --epsilon: the number of rows, where it is no secret. By default a noisy number "
        "is bought.",
    ),
]
AcceptInferredSchema = Annotated[
    bool,
    typer.Option(
        "--accept-inferred-schema",
        help="With --epsilon and without --schema: take the column types, and nothing else, from "
        "the rows. The result is then not differentially private.",
    ),
]
OdometerFile = Annotated[
    str | None,
    typer.Option(
        "--odometer",
        metavar="FILE",
        help="With --epsilon: file that adds up what all fits on this table cost (see 'tabsynth "
        "odometer'); a fit beyond its total is refused.",
    ),
]
ModelFile = Annotated[str, typer.Argument(metavar="MODEL", help="Model file.", show_default=False)]
RealTable = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="Table of the columns that the model learnt: .csv, .tsv, .jsonl (each also .gz) or "
        ".parquet; '-' is standard input.",
        show_default=False,
    ),
]
Output = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="Where the rows go, '-' for standard output in the format of the input.",
    ),
]
Mark = Annotated[
    str | None,
    typer.Option(
        "--mark",
        metavar="NAME",
        help="Add a column of this name, which is true in synthetic rows.",
    ),
]
Report = Annotated[
    str | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Write the report (HTML); it shows statistics of the real rows.",
    ),
]
Card = Annotated[
    str | None,
    typer.Option(
        "--card",
        metavar="FILE",
        help="Write the card (Markdown) that goes with the synthetic rows.",
    ),
]
CardJson = Annotated[
    str | None,
    typer.Option(
        "--card-json",
        metavar="FILE",
        help="Write the card as JSON, for programs.",
    ),
]
Shareable = Annotated[
    str | None,
    typer.Option(
        "--shareable",
        metavar="FILE",
        help="Write the report that holds no statistics of the real rows: method, sample sizes and "
        "words (HTML; JSON where FILE ends in .json).",
    ),
]
FairOption = Annotated[
    str | None,
    typer.Option(
        "--fair",
        metavar="TARGET:COLUMN[,COLUMN...]",
        help="Make rows in which TARGET does not depend on the groups of these columns "
        "(demographic parity), such as income:sex. More rows are drawn, and some of them kept.",
    ),
]
Checkpoint = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        metavar="FILE",
        help="Keep the state of a network's training in this file, about every ten seconds; where "
        "it exists, go on from it. As confidential as the table.",
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Replace existing files.",
    ),
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print one JSON document on standard output.",
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Print errors only.",
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Print more, and the traceback of an unexpected error (it may show cells).",
    ),
]
