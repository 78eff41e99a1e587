"""One drawing: shapes in, a small SVG element for the middle of a page out.

Matplotlib writes the shapes; what it writes is then fitted to its place. Colours become CSS
variables, so a drawing follows the page's light or dark scheme; fonts become the page's; ids are
unique among all drawings of a page; nothing refers to anything outside the page.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

Ink = Literal["ink", "muted", "rule", "real", "synthetic", "paper"]
"""What a shape is drawn with; the style sheet of the page has a colour for each."""
Anchor = Literal["left", "center", "right"]
"""Which point of a text lies where it is put."""

# Matplotlib is given these stand-ins; the page's style sheet says what they look like.
_INKS: dict[Ink, str] = {
    "ink": "#0001f1",
    "muted": "#0001f2",
    "rule": "#0001f3",
    "real": "#0001f4",
    "synthetic": "#0001f5",
    "paper": "#0001f6",
}

# What somebody's own matplotlib settings could otherwise change.
_SETTINGS: dict[str, object] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tabsynth",
    "font.family": ["DejaVu Sans"],
    "text.usetex": False,
    "text.parse_math": False,
    "path.simplify": False,
    "path.sketch": None,
    "path.effects": [],
    "savefig.bbox": None,
    "lines.marker": "None",
}

_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")


class Drawing:
    """A drawing surface measured in pixels, with its origin at the top left.

    Parameters
    ----------
    width, height : float
        Size in CSS pixels; on narrow screens the drawing shrinks.

    Notes
    -----
    Matplotlib is used through its object interface only; its global settings are as before after
    every call.
    """

    def __init__(self, width: float, height: float) -> None:
        import matplotlib as mpl
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
        from matplotlib.transforms import Affine2D

        self.width, self.height = width, height
        self._texts: list[str] = []
        self._images: list[str] = []
        with mpl.rc_context(_SETTINGS):  # type: ignore[arg-type]
            self._figure = Figure(figsize=(width / 72, height / 72), dpi=72)
            FigureCanvasSVG(self._figure)
        self._figure.patch.set_visible(False)
        to_figure = Affine2D().scale(1 / width, -1 / height).translate(0, 1)
        self._place = to_figure + self._figure.transFigure

    def line(
        self,
        points: Sequence[tuple[float, float]],
        ink: Ink = "ink",
        width: float = 1.0,
        dash: tuple[float, float] | None = None,
    ) -> None:
        """Draw a line through points."""
        from matplotlib.lines import Line2D

        style: Any = (0, dash) if dash else "-"
        self._figure.add_artist(
            Line2D(
                [x for x, _ in points],
                [y for _, y in points],
                color=_INKS[ink],
                linewidth=width,
                linestyle=style,
                marker="None",
                solid_capstyle="butt",
                dash_capstyle="butt",
                antialiased=True,
                transform=self._place,
            )
        )

    def area(
        self,
        points: Sequence[tuple[float, float]],
        ink: Ink = "real",
        opacity: float = 1.0,
    ) -> None:
        """Fill the polygon of points."""
        from matplotlib.patches import Polygon

        self._figure.add_artist(
            Polygon(
                list(points),
                closed=True,
                facecolor=_INKS[ink],
                edgecolor="none",
                linewidth=0,
                alpha=None if opacity == 1 else opacity,
                transform=self._place,
            )
        )

    def box(
        self,
        left: float,
        top: float,
        width: float,
        height: float,
        ink: Ink = "real",
        opacity: float = 1.0,
    ) -> None:
        """Fill a rectangle; one without width or height is left out."""
        if width > 0 and height > 0:
            right, bottom = left + width, top + height
            corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
            self.area(corners, ink, opacity)

    def dot(self, x: float, y: float, radius: float, ink: Ink, hollow: bool = False) -> None:
        """Draw a round mark, filled or hollow."""
        from matplotlib.patches import Circle

        self._figure.add_artist(
            Circle(
                (x, y),
                radius,
                facecolor=_INKS["paper" if hollow else ink],
                edgecolor=_INKS[ink if hollow else "paper"],
                linewidth=1.6 if hollow else 1.2,
                transform=self._place,
            )
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        anchor: Anchor = "left",
        ink: Ink = "muted",
        size: float = 10.5,
    ) -> None:
        """Write a text with its baseline at `y`; the page's font is used."""
        # Matplotlib gets a stand-in, so it never meets a character that its own font lacks.
        self._texts.append(text)
        self._figure.text(
            x,
            y,
            f"text{len(self._texts) - 1}x",
            color=_INKS[ink],
            fontsize=size,
            horizontalalignment=anchor,
            verticalalignment="baseline",
            parse_math=False,
            transform=self._place,
        )

    def image(self, left: float, top: float, width: float, height: float, rgba: np.ndarray) -> None:
        """Paint cells of equal size.

        Parameters
        ----------
        left, top, width, height : float
        rgba : ndarray of float, shape (n_rows, n_columns, 4)
            Colours in [0, 1], the first row on top. Shapes lie over it.
        """
        from matplotlib.image import imsave

        # Written here and not by matplotlib, which needs axes for it and is slow to make them.
        buffer = io.BytesIO()
        levels = np.rint(np.clip(rgba, 0, 1) * 255).astype(np.uint8)
        imsave(buffer, levels, format="png", metadata={"Software": "tabsynth"})
        data = base64.b64encode(buffer.getvalue()).decode()
        self._images.append(
            f'<image x="{left:.6g}" y="{top:.6g}" width="{width:.6g}" height="{height:.6g}" '
            'preserveAspectRatio="none" style="image-rendering:pixelated" '
            f'href="data:image/png;base64,{data}"/>'
        )

    def to_svg(self, key: str, title: str) -> str:
        """Return the drawing as an element of an HTML page.

        Parameters
        ----------
        key : str
            Unique on the page; letters, digits and hyphens.
        title : str
            What the drawing shows, for those who cannot see it.
        """
        import matplotlib as mpl

        buffer = io.StringIO()
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        with mpl.rc_context(_SETTINGS):  # type: ignore[arg-type]
            self._figure.savefig(
                buffer,
                format="svg",
                metadata=nothing,
                transparent=True,
            )
        shapes = fit(buffer.getvalue(), key)
        shapes = re.sub(
            r">text(\d+)x<", lambda match: f">{escape(self._texts[int(match[1])])}<", shapes
        )
        size = f'width="{self.width:g}" height="{self.height:g}"'
        return (
            f'<svg class="chart" {size} viewBox="0 0 {self.width:g} {self.height:g}" role="img" '
            f'aria-labelledby="{key}-title"><title id="{key}-title">{escape(title)}</title>'
            f"{''.join(self._images)}{shapes}</svg>"
        )


def escape(text: str) -> str:
    """Return `text` as it is written between tags."""
    from markupsafe import escape as escape_markup

    from tabsynth.report.words import clean

    return str(escape_markup(clean(text)))


def fit(document: str, key: str) -> str:
    """Return what is inside an SVG document of matplotlib, fitted to the inside of a page.

    Parameters
    ----------
    document : str
    key : str
        Prefix of the ids that are kept, those that something refers to.
    """
    inside = document[document.index("<svg") :]
    inside = inside[inside.index(">") + 1 : inside.rindex("</svg>")]
    inside = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", inside, flags=re.DOTALL)
    inside = re.sub(r"<!--.*?-->", "", inside, flags=re.DOTALL)
    inside = inside.replace("xlink:href", "href")
    used = list(dict.fromkeys(re.findall(r'(?:href="#|url\(#)([^")]+)', inside)))
    names = {name: f"{key}-{place}" for place, name in enumerate(used)}

    def rename(match: re.Match[str]) -> str:
        name = names.get(match[1])
        return f' id="{name}"' if name else ""

    inside = re.sub(r' id="([^"]+)"', rename, inside)
    inside = re.sub(r'(href="#|url\(#)([^")]+)', lambda m: m[1] + names[m[2]], inside)
    inside = re.sub(r" font-family: [^;\"]*;?", "", inside)
    inside = re.sub(r' transform="rotate\(-?0 [^"]*\)"', "", inside)
    inside = _LONG_NUMBER.sub(_round, inside)
    for ink, colour in _INKS.items():
        inside = inside.replace(colour, f"var(--{ink})")
    inside = re.sub(r"\s+", " ", inside).replace("> <", "><").replace(' "', '"')
    while "<g></g>" in inside:
        inside = inside.replace("<g></g>", "")
    return inside.strip()


def _round(match: re.Match[str]) -> str:
    value = float(match[0])
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) >= 1 else f"{value:.3g}"
