"""md2conf writes a folder of Markdown through the second version, twice; the second time nothing is new. What it wrote is
read back without it."""

import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

fake = os.environ["FAKE"]
host = fake.removeprefix("http://")
folder = pathlib.Path(tempfile.mkdtemp())
(folder / "index.md").write_text("# Handbook\n\nRead this first.\n")
(folder / "rules.md").write_text("# Rules\n\n| Key | Value |\n|---|---|\n| Port | 8080 |\n\n```sh\necho 'a < b'\n```\n")


def ask(path):
    request = urllib.request.Request(fake + path)
    request.add_header("Authorization", "Basic " + base64.b64encode(b"admin@example.com:admin-token").decode())
    return json.load(urllib.request.urlopen(request))


def write():
    command = [sys.executable, "-m", "md2conf", "--api-version", "v2", "-d", host, "-p", "/wiki/", "-s", "OPS"]
    command += ["-u", "admin@example.com", "-a", "admin-token", "-r", "1001", "--no-render-mermaid"]
    command += ["--api-url", fake + "/wiki/", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def written():
    found = ask("/wiki/api/v2/pages?limit=250&body-format=storage")["results"]
    return {page["title"]: page for page in found if page["title"] in ("Handbook", "Rules")}


write()
first = written()
assert set(first) == {"Handbook", "Rules"}, first
assert "echo 'a < b'" in first["Rules"]["body"]["storage"]["value"]
assert "<td" in first["Rules"]["body"]["storage"]["value"]
write()
assert {title: page["version"]["number"] for title, page in written().items()} == {
    title: page["version"]["number"] for title, page in first.items()
}, "nothing was new"
(folder / "rules.md").write_text((folder / "rules.md").read_text() + "\nA new rule.\n")
write()
assert "A new rule." in written()["Rules"]["body"]["storage"]["value"]
print("md2conf: written, read back, written again")
