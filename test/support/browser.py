"""What people see of a page: Chromium lays it out at a width, and tells where its parts are."""

from __future__ import annotations

import functools
import html
import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHROMIUM = ("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage",
            "--enable-logging=stderr")
HEIGHT, SECONDS = 1100, 90
# A frame has any width, a window of Chromium none below 500 pixels.
_HARNESS = """<!DOCTYPE html><meta charset="utf-8"><style>body { margin: 0 } iframe { border: 0 }</style>
<iframe id="page" width="%(width)d" height="%(height)d"></iframe>
<script>
const frame = document.getElementById("page");
frame.addEventListener("load", () => {
  const view = frame.contentWindow, page = view.document;
  const box = one => { const {x, y, width, height} = one.getBoundingClientRect(); return {x, y, width, height} };
  const seen = one => { const {x, y, width, height} = one.getBoundingClientRect();
    view.scrollTo(0, y + view.scrollY - 100);
    const now = one.getBoundingClientRect();
    return page.elementFromPoint(now.x + now.width / 2, now.y + now.height / 2) === one };
  const broken = [...page.images].filter(one => !one.naturalWidth).map(one => one.src);
  const out = document.createElement("pre");
  out.id = "looked";
  out.textContent = JSON.stringify({width: view.innerWidth, needs: page.documentElement.scrollWidth, broken,
    title: page.title, text: page.body.innerText, parts: Object.fromEntries(%(selectors)s.map(
      one => [one, [...page.querySelectorAll(one)].map(part => ({...box(part), seen: seen(part)}))]))});
  document.body.append(out);
});
frame.src = %(path)s;
</script>
"""


@dataclass(frozen=True)
class Look:
    """
    A page at a width.

    width, needs
        Of the window, and of what is in it, in pixels.
    title, text
        What people read.
    parts
        {CSS selector: the place of each, and whether it is ``seen``: nothing lies over it}.
    broken
        Pictures that are not there.
    errors
        What its scripts fail of.
    """

    width: int
    needs: int
    title: str
    text: str
    parts: dict[str, list[dict]]
    broken: list[str]
    errors: list[str]


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A folder as a web site on this machine: its URL."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def look(folder: Path, path: str, width: int, *selectors: str) -> Look:
    """
    How a page of a folder looks.

    folder, path
        The page is ``path`` below ``folder``; a file of the harness is put beside it.
    width
        Of the window, in pixels.
    selectors
        Of the parts whose places are asked.
    """
    values = {"width": width, "height": HEIGHT, "path": json.dumps(path), "selectors": json.dumps(selectors)}
    (folder / "harness.html").write_text(_HARNESS % values, encoding="utf-8")
    with served(folder) as url:
        argv = [*CHROMIUM, "--virtual-time-budget=10000", "--dump-dom", f"{url}/harness.html"]
        done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=SECONDS)
    _, _, rest = done.stdout.partition('<pre id="looked">')
    errors = [line for line in done.stderr.splitlines() if ":CONSOLE" in line and "Uncaught" in line]
    return Look(**json.loads(html.unescape(rest.partition("</pre>")[0])), errors=errors)
