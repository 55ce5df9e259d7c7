#!/usr/bin/env python3
"""graphiti-core and Highwater side by side: the same chunks, the same mock; one table (Markdown)."""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import corpus  # noqa: E402
import peer  # noqa: E402
import product  # noqa: E402
import truth  # noqa: E402


class Mock:
    """The model server as a process of its own, on a free port; it keeps the count. Another script may speak for it."""

    def __init__(self, *script):
        command = [sys.executable, *(script or (str(HERE.parent / 'mock_llm.py'), '--port', '0'))]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline()
        if not ready:
            raise SystemExit(f'`{command[1]}` ended with {self.process.wait()} before it could answer')
        self.url = ready.split(' on ')[1].strip()

    def call(self, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url.removesuffix('/v1') + path, data=data)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def begin(self, latency_ms):
        self.call('/mock/reset', {})
        self.call('/mock/config', dict(latency_ms=latency_ms))

    def end(self):
        self.call('/mock/config', dict(latency_ms=0))
        return self.call('/mock/stats')


def columns(a):
    """What is measured: a title, and how it runs at a latency."""
    own = lambda settings: lambda mock, chunks, ms: product.run(mock, chunks, a.highwater, ms, settings)
    of_peer = lambda mode: lambda mock, chunks, ms: peer.run(mock, chunks, mode, ms)
    found = [] if a.without_graphiti else [(f'graphiti, {mode}', of_peer(mode)) for mode in ('one by one', 'bulk')]
    return [*found, ('highwater', own({})), ('highwater, a chunk a call', own(dict(PACK_CHARS='500')))]


def rows(chunks, latencies, runs):
    """The table: a title, and a function of a column's runs."""
    n, zero = len(chunks), latencies[0]
    models = {column: {k: v for k, v in of[zero]['stats']['kinds'].items() if k != 'embeddings'}
              for column, of in runs.items()}
    total = lambda column, what: sum(kind[what] for kind in models[column].values()) / n
    yield 'calls a chunk', lambda c: f"{total(c, 'calls'):.3f}"
    for kind in sorted({kind for of in models.values() for kind in of}):
        yield f'· {kind}', lambda c, kind=kind: f"{models[c].get(kind, dict(calls=0))['calls'] / n:.3f}"
    embedded = lambda c: runs[c][zero]['stats']['kinds'].get('embeddings', dict(calls=0))['calls'] / n
    yield 'embedding calls a chunk', lambda c: f'{embedded(c):.2f}'
    yield 'tokens a chunk: prompts', lambda c: f"{total(c, 'prompt_tokens'):,.0f}"
    yield 'tokens a chunk: answers', lambda c: f"{total(c, 'completion_tokens'):,.0f}"
    for ms in latencies:
        yield f'seconds, answers after {ms:.0f} ms', lambda c, ms=ms: f"{runs[c][ms]['wall']:.2f}"
        yield (f'processor ms a chunk, answers after {ms:.0f} ms (+ database)',
               lambda c, ms=ms: cpu(runs[c][ms], n))
    scores = {column: truth.score(chunks, of[zero]) for column, of in runs.items()}
    of = lambda c, name: scores[c][name]
    yield 'entities', lambda c: str(of(c, 'entities'))
    yield 'names in the text that are entities', lambda c: f"{of(c, 'names_found')} of {of(c, 'names_wanted')}"
    yield 'facts', lambda c: str(runs[c][zero].get('live', len(runs[c][zero]['facts'])))
    yield 'facts held twice', lambda c: str(repeated(runs[c][zero]))
    yield 'facts that ended', lambda c: str(of(c, 'ended'))
    part = lambda value: '–' if value is None else f'{value:.3f}'
    yield '· precision', lambda c: part(of(c, 'precision'))
    yield '· recall', lambda c: f"{part(of(c, 'recall'))} (of {of(c, 'wanted')})"
    twice = lambda c: runs[c][zero]['stats']
    yield 'chunks and questions answered again', lambda c: f"{twice(c)['chunks_twice'] + twice(c)['questions_twice']}"


def cpu(run, n):
    own, database = (run[name] / n * 1e3 for name in ('cpu', 'db'))
    return f'{own:.1f}' + (f' + {database:.1f}' if database else '')


def repeated(run):
    if 'repeated' in run:
        return run['repeated']
    facts = [truth.mock_llm.norm(fact) for fact, *_ in run['facts']]
    return len(facts) - len(set(facts))


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument('--highwater', required=True, help='the binary')
    ap.add_argument('--chunks', type=int, default=40)
    ap.add_argument('--seed', type=int, default=7)
    ap.add_argument('--latencies', default='0,200', help='milliseconds until an answer')
    ap.add_argument('--without-graphiti', action='store_true', help='Highwater alone')
    a = ap.parse_args()
    chunks, latencies, mock = corpus.make(a.chunks, a.seed), [float(ms) for ms in a.latencies.split(',')], Mock()
    try:
        runs = {}
        for title, run in columns(a):
            for ms in latencies:
                runs.setdefault(title, {})[ms] = run(mock, chunks, ms)
                print(f'{title}, answers after {ms:.0f} ms: done', file=sys.stderr)
    finally:
        mock.process.terminate()
        mock.process.wait()
    print(f'{len(chunks)} chunks, seed {a.seed}, load {os.getloadavg()[0]:.1f}\n')
    print('| | ' + ' | '.join(runs) + ' |\n|---|' + '--:|' * len(runs))
    for title, of in rows(chunks, latencies, runs):
        print(f'| {title} | ' + ' | '.join(of(column) for column in runs) + ' |')


if __name__ == '__main__':
    main()
