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
# Measured from outside, since the report forbids scripts of its own: a frame as wide as a phone, a
# frame as wide as a desk, and what in them reaches beyond the edge.
MEASURE = """<!doctype html><meta charset="utf-8"><body>
<iframe id="phone" src="report.html" style="width:390px;height:800px;border:0"></iframe>
<iframe id="desk" src="report.html" style="width:1280px;height:800px;border:0"></iframe>
<pre id="found">waiting</pre>
<script>
addEventListener("load", () => {
  const lines = [];
  for (const id of ["phone", "desk"]) {
    const page = document.getElementById(id).contentDocument;
    for (const details of page.querySelectorAll("details")) details.open = true;
    const width = page.documentElement.clientWidth;
    lines.push(`${id} ${width} ${page.documentElement.scrollWidth} ` +
      `${page.querySelectorAll("svg").length} ${page.documentElement.scrollHeight}`);
  }
  document.getElementById("found").textContent = lines.join("\\n") + "\\ndone";
});
</script>"""


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


def test_the_report_fits_a_phone_and_a_desk_without_complaint(browser, evaluation, tmp_path):
    (tmp_path / "report.html").write_text(to_html(evaluation), encoding="utf-8")
    (tmp_path / "measure.html").write_text(MEASURE, encoding="utf-8")
    page, log = run(
        browser,
        tmp_path,
        "--window-size=1700,900",
        "--virtual-time-budget=5000",
        "--dump-dom",
        (tmp_path / "measure.html").as_uri(),
    )
    found = re.search(r'<pre id="found">(.*?)done</pre>', page, re.S)
    assert found, f"the page was not measured: {log[-2000:]}"
    measured = {
        name: tuple(int(x) for x in rest)
        for name, *rest in (line.split() for line in found[1].strip().splitlines())
    }
    assert measured["phone"][0] == 390
    assert measured["desk"][0] == 1280
    for name, (width, needed, charts, height) in measured.items():
        assert needed <= width, f"on the {name} the page is {needed} px wide"
        assert charts == 7 + 12 + 1 + 10 + 1
        assert height > 3000
    assert complaints(log) == []


def test_a_complaint_of_the_console_would_be_seen(browser, tmp_path):
    # The check above is worth nothing if the browser's log does not carry the console.
    path = tmp_path / "bad.html"
    path.write_text("<script>console.error('seen')</script>", encoding="utf-8")
    _, log = run(browser, tmp_path, "--dump-dom", path.as_uri())
    assert len(complaints(log)) == 1
