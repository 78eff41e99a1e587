"""The errors that tabsynth raises on purpose.

Every message says what is wrong, where, what is allowed and what to do, and never shows a cell
of the table. The command line turns each class into an exit code of its own.
"""

from __future__ import annotations

from collections.abc import Sequence


class TabsynthError(Exception):
    """Base class of every error that tabsynth raises on purpose."""


class DataError(TabsynthError, ValueError):
    """A table cannot be used as it is: empty, ragged, wrong encoding, nested cells."""


class SchemaError(TabsynthError, ValueError):
    """A schema is malformed or does not fit the table.

    Parameters
    ----------
    problems : str or sequence of str
        Every problem found, one sentence each; all are reported at once.
    """

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems: tuple[str, ...] = (
            (problems,) if isinstance(problems, str) else tuple(problems)
        )
        super().__init__("\n".join(self.problems))


class ConfigError(TabsynthError, ValueError):
    """A parameter or option has a value that is not allowed."""


class PrivacyError(TabsynthError):
    """An operation would break a privacy promise and was refused."""


class BudgetExceeded(PrivacyError):
    """A release would cost more than what is left of the privacy budget."""


class ArtifactError(TabsynthError):
    """A model file is damaged, was changed, or comes from a newer version."""


class SampleError(TabsynthError):
    """The rows asked for cannot be made."""
