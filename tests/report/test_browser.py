"""The report in a real browser, where there is one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from tabsynth.report import to_html

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
    *("--disable-dev-shm-usage", "--allow-file-access-from-files", "--enable-logging=stderr"),
)
# Measured from outside, since the pages forbid scripts of their own: frames as wide as a phone and
# as a desk, what in them reaches beyond the edge, and how far texts stand out from the page.
MEASURE = """<!doctype html><meta charset="utf-8"><body>
<iframe id="report-phone" src="report.html" style="width:390px;height:800px;border:0"></iframe>
<iframe id="report-desk" src="report.html" style="width:1280px;height:800px;border:0"></iframe>
<iframe id="share-phone" src="share.html" style="width:390px;height:800px;border:0"></iframe>
<iframe id="share-desk" src="share.html" style="width:1280px;height:800px;border:0"></iframe>
<pre id="found">waiting</pre>
<script>
const light = (colour) => {
  const [r, g, b] = colour.match(/[\\d.]+/g).map((x) => x / 255)
    .map((x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
addEventListener("load", () => {
  const lines = [];
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument;
    for (const details of page.querySelectorAll("details")) details.open = true;
    const style = (element) => frame.contentWindow.getComputedStyle(element);
    const paper = light(style(page.body).backgroundColor);
    let least = 99;
    for (const element of page.querySelectorAll("p, td, th, h1, h2, li, dt, dd, svg text")) {
      const ink = light(element.tagName === "text" ? style(element).fill : style(element).color);
      least = Math.min(least, (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05));
    }
    lines.push([frame.id, page.documentElement.clientWidth, page.documentElement.scrollWidth,
      page.querySelectorAll("svg").length, page.documentElement.scrollHeight,
      paper.toFixed(3), least.toFixed(2)].join(" "));
  }
  document.getElementById("found").textContent = lines.join("\\n") + "\\ndone";
});
</script>"""
SCHEMES = {"light": 1, "dark": 0}


@pytest.fixture(scope="module")
def browser():
    for name in BROWSERS:
        path = shutil.which(name)
        if path:
            return path
    pytest.skip("no Chromium (Debian package 'chromium') to open the report in")


def run(browser, folder, *options):
    """Return what a headless browser writes to its two streams."""
    command = [browser, *QUIET, f"--user-data-dir={folder / 'profile'}", *options]
    quiet = {**os.environ, "HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(command, capture_output=True, timeout=60, env=quiet, cwd=folder)
    return done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def complaints(log):
    """Return what the console of a page said."""
    return [line for line in log.splitlines() if re.search(r":CONSOLE[:(\]]", line)]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_pages_fit_a_phone_and_a_desk_and_can_be_read(browser, evaluation, tmp_path, scheme):
    (tmp_path / "report.html").write_text(to_html(evaluation), encoding="utf-8")
    (tmp_path / "share.html").write_text(to_html(evaluation, shareable=True), encoding="utf-8")
    (tmp_path / "measure.html").write_text(MEASURE, encoding="utf-8")
    page, log = run(
        browser,
        tmp_path,
        "--window-size=1700,900",
        f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
        "--virtual-time-budget=5000",
        "--dump-dom",
        (tmp_path / "measure.html").as_uri(),
    )
    found = re.search(r'<pre id="found">(.*?)done</pre>', page, re.S)
    assert found, f"the page was not measured: {log[-2000:]}"
    measured = {
        name: tuple(float(x) for x in rest)
        for name, *rest in (line.split() for line in found[1].strip().splitlines())
    }
    assert len(measured) == 4
    for name, (width, needed, charts, height, paper, contrast) in measured.items():
        assert width == (390 if name.endswith("phone") else 1280)
        assert needed <= width, f"{name} is {needed} px wide"
        assert charts == (7 + 12 + 1 + 10 + 1 if name.startswith("report") else 0)
        assert height > 2000
        assert paper > 0.9 if scheme == "light" else paper < 0.1
        assert contrast >= 4.5, f"a text of {name} can hardly be read (WCAG AA wants 4.5)"
    assert complaints(log) == []


def test_a_complaint_of_the_console_would_be_seen(browser, tmp_path):
    # The check above is worth nothing if the browser's log does not carry the console.
    path = tmp_path / "bad.html"
    path.write_text("<script>console.error('seen')</script>", encoding="utf-8")
    _, log = run(browser, tmp_path, "--dump-dom", path.as_uri())
    assert len(complaints(log)) == 1
