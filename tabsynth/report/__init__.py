"""Views of an evaluation: an HTML report, a Markdown card, and five lines for a terminal."""

from tabsynth.report.card import to_card
from tabsynth.report.html import to_html
from tabsynth.report.verdict import summary

__all__ = ["summary", "to_card", "to_html"]
