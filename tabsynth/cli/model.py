"""tabsynth model: what is in a model file, read without running anything in it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tabsynth.cli import options
from tabsynth.cli.files import check_inputs
from tabsynth.cli.terminal import Terminal, print_json
from tabsynth.cli.verbs import group, verb

app = group("Look into a model file.")


@verb(app, "show")
def show(
    context: typer.Context,
    path: Annotated[str, typer.Argument(metavar="MODEL", help="Model file.", show_default=False)],
    as_json: options.AsJson = False,
) -> None:
    """Show what a model learnt, how, and what it promises; no code of the file is run.

    tabsynth model show patients.model
    """
    terminal = Terminal.of(context, quiet=as_json)
    check_inputs(path)
    terminal.phase = "reading the model file"
    from tabsynth.artifact import read_artifact
    from tabsynth.schema import Schema

    artifact = read_artifact(path)
    schema = Schema.from_dict(artifact.documents["schema"])
    ledger = artifact.documents["ledger"]
    manifest = dict(artifact.manifest)
    terminal.facts(_facts(manifest, ledger))
    terminal.say("")
    terminal.table(
        ("Column", "Type", "Role", "Why"),
        [(column.name, column.type, column.role, column.reason) for column in schema],
    )
    if as_json:
        print_json(
            {
                "schema_version": 1,
                "command": "model show",
                "manifest": manifest,
                "schema": artifact.documents["schema"],
                "ledger": ledger,
            }
        )


def _training(training: Any) -> dict[str, str]:
    """Return how a network was trained, in words; nothing for a model without steps."""
    if not isinstance(training, dict):
        return {}
    stopped = training.get("stopped")
    ending = f", and stopped early: {stopped}" if stopped else ""
    return {"Trained": f"{training.get('steps', 0):,} steps{ending}"}


def _facts(manifest: dict[str, Any], ledger: Any) -> dict[str, str]:
    """Return the manifest and the ledger in words."""
    settings = [f"{name} = {value}" for name, value in manifest.get("parameters", {}).items()]
    versions = [f"{name} {version}" for name, version in manifest.get("versions", {}).items()]
    shareable = manifest.get("shareable") is True
    return {
        "Model": f"{manifest.get('model')}: {manifest.get('description', '')}",
        "Chosen": str(manifest.get("choice", "")),
        "Settings": ", ".join(settings) or "none",
        "Learnt from": f"{manifest.get('rows', 0):,} rows, {manifest.get('columns', 0)} columns, "
        f"in {manifest.get('seconds', 0):.1f} s",
        **_training(manifest.get("training")),
        "Seed": str(manifest.get("seed")),
        "Privacy": str(ledger.get("statement", "nothing is recorded")),
        "Sharing": "may be shared within what the statement on privacy says"
        if shareable
        else "do not share: the file may remember rows; treat it like the source",
        "Made with": ", ".join(versions),
        "File": f"format {manifest.get('tabsynth_model')}; every part has the sha256 that the "
        "manifest names",
    }
