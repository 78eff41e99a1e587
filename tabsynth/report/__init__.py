"""Views of an evaluation: HTML reports, a card in Markdown and JSON, lines for a terminal."""

from tabsynth.report.card import to_card_dict, to_card_json
from tabsynth.report.html import to_html
from tabsynth.report.markdown import to_card
from tabsynth.report.shareable import to_shareable
from tabsynth.report.verdict import summary

__all__ = ["summary", "to_card", "to_card_dict", "to_card_json", "to_html", "to_shareable"]
