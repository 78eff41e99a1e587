"""tabsynth impute: the missing cells of a table, filled by a model."""

from __future__ import annotations

from typing import Annotated

import typer

from tabsynth.cli import options
from tabsynth.cli.files import STANDARD, stem
from tabsynth.cli.filled import NOTE, Filled, check
from tabsynth.cli.plan import show_files
from tabsynth.cli.terminal import Terminal, print_json
from tabsynth.errors import ConfigError


def impute(
    context: typer.Context,
    model: options.ModelFile,
    table: options.RealTable,
    output: options.Output,
    draws: Annotated[
        int,
        typer.Option(
            "--draws",
            metavar="K",
            min=1,
            help="Tables to make, which differ where cells were missing; more than one go to "
            "NAME.1.csv, NAME.2.csv and so on.",
        ),
    ] = 1,
    max_tries: Annotated[
        int | None,
        typer.Option(
            "--max-tries",
            metavar="N",
            min=1,
            help="Draw what the model makes less often than once in so many draws from a part of "
            "the row; 2,000 by default.",
        ),
    ] = None,
    seed: options.Seed = None,
    delimiter: options.Delimiter = None,
    encoding: options.Encoding = None,
    input_format: options.InputFormat = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Fill the missing cells of a table with a model that was kept.

    tabsynth impute patients.model patients.csv -o filled.csv --seed 7
    tabsynth impute patients.model patients.csv -o filled.csv --draws 5

    Cells that are there stay as they are. So do columns that are never learnt: keys, personal data,
    free text, constants. The result holds the real rows.
    """
    terminal = Terminal.of(context, quiet, verbose)
    if draws > 1 and output == STANDARD:
        raise ConfigError("Several tables cannot go to standard output. Name a file with -o.")
    names = [output]
    if draws > 1:
        root, suffix = stem(output)
        names = [f"{root}.{number}{suffix}" for number in range(1, draws + 1)]
    outputs = check(model, table, names, force, as_json, input_format)

    tries = {} if max_tries is None else {"max_tries": max_tries}
    with terminal.progress():
        filled = Filled.read(terminal, model, table, seed, input_format, delimiter, encoding)
        made = filled.synthesizer.impute(
            filled.table,
            draws=draws,
            seed=filled.seed,
            monitor=terminal.monitor,
            **tries,
        )
        tables = made if isinstance(made, list) else [made]
        terminal.begin("writing the files")
        outputs.write(
            {
                kind: filled.writer(frame, path)
                for (kind, path), frame in zip(outputs.files.items(), tables, strict=True)
            },
            terminal,
        )
    done = filled.synthesizer.imputation_
    assert done is not None
    terminal.say(f"Filled up {len(filled.table):,} rows with {filled.again}.", *done.in_words())
    show_files(terminal, outputs.on_disk, dict.fromkeys(outputs.files, NOTE))
    if as_json:
        print_json(
            {
                "schema_version": 1,
                "command": "impute",
                "model": model,
                "source": table,
                "rows": len(filled.table),
                "draws": draws,
                "seed": filled.seed,
                **done.to_dict(),
                "files": outputs.files,
            }
        )
