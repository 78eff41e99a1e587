"""What a column's name says about its role: words that a privacy officer looks out for."""

from __future__ import annotations

import re

_SENSITIVE = frozenset(
    re.findall(
        r"\w+",
        """
    diagnosis diagnoses diag icd disease disorder illness symptom medication drug
    hiv aids pregnant pregnancy disability disabled handicap mental psychiatric
    income salary wage wages earnings wealth debt
    religion religious faith political politics orientation sexuality
    criminal crime charge offense offence arrest conviction recidivism recid felony
    """,
    )
)
_QUASI = frozenset(
    re.findall(
        r"\w+",
        """
    age sex gender birth birthday birthdate dob born
    zip zipcode postcode postal plz
    race ethnicity ethnic marital nationality citizenship country
    region county city town municipality district state province
    latitude longitude lat lon lng
    occupation job profession education
    """,
    )
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+")


def role_of(name: str) -> str:
    """Return the role that a column's name suggests; whole words count, in any notation.

    Examples
    --------
    >>> role_of("DateOfBirth"), role_of("zip_code"), role_of("primary diagnosis"), role_of("page")
    ('quasi', 'quasi', 'sensitive', 'plain')
    """
    words = {word.lower() for word in _WORD.findall(name)}
    if words & _SENSITIVE:
        return "sensitive"
    return "quasi" if words & _QUASI else "plain"
