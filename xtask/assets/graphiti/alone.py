#!/usr/bin/env python3
"""Highwater alone against the mock: calls over whole wikis, estimate against actual, and processor time a chunk.

Prints Markdown tables. A wiki is a folder of pages or JSONL files of pages; without one only generated chunks are read.
"""
import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import corpus  # noqa: E402
import product  # noqa: E402
from compare import Mock  # noqa: E402


class Run:
    """The binary in a folder of its own, asking the mock."""

    def __init__(self, binary, wiki, mock, settings=None):
        self.folder = tempfile.TemporaryDirectory(prefix='highwater-')
        self.binary, self.wiki = binary, wiki
        given = {**dict(EMBEDDING='none', MODEL='compatible/mock', MODEL_URL=mock.url), **(settings or {})}
        self.env = dict(os.environ, **{f'HIGHWATER_{name}': value for name, value in given.items()})

    def do(self, *words):
        """What it printed, with its seconds and its processor seconds."""
        before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        command = [self.binary, 'pipeline', *words, '--json', '--quiet']
        ended = subprocess.run(command, cwd=self.folder.name, env=self.env, stdout=subprocess.PIPE, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return dict(json.loads(ended.stdout), wall=time.perf_counter() - wall, cpu=cpu)


def over_a_wiki(binary, wiki, mock):
    """Estimate, run, and re-indexing of a wiki; the mock counts."""
    run = Run(binary, wiki, mock)
    mock.begin(0)
    estimate = run.do(str(wiki), '--estimate')
    asked_by_estimate = sum(kind['calls'] for kind in mock.end()['kinds'].values())
    ran = run.do(str(wiki))
    stats = mock.end()
    again = run.do(str(wiki), '--reindex')
    after = mock.end()
    return dict(estimate=estimate, ran=ran, stats=stats, again=again, after=after, early=asked_by_estimate)


def a_row(name, of):
    kinds, n = of['stats']['kinds'], of['stats']['chunks']
    calls = sum(kind['calls'] for kind in kinds.values())
    tokens = sum(kind['prompt_tokens'] + kind['completion_tokens'] for kind in kinds.values())
    count = lambda kind: kinds.get(kind, dict(calls=0))['calls']
    twice = of['after']['chunks_twice'] + of['after']['questions_twice']
    estimated = of['estimate']['calls']
    return [name, of['ran']['pages'], n, calls, f'{calls / n:.3f}', count('extract_chunks'), count('verdicts'),
            calls - count('extract_chunks') - count('verdicts'), f'{tokens / n:,.0f}', estimated,
            f'{100 * (estimated - calls) / calls:+.1f} %', of['early'], of['again']['calls'], twice]


TITLES = ['pages', 'chunks asked about', 'calls', 'calls a chunk', 'extraction', 'pairs in doubt', 'summaries',
          'tokens a chunk', 'calls estimated', 'off by', 'asked by the estimate', 'asked by `--reindex`', 'answered again']


def marginal(binary, mock, seed, sizes):
    """Processor time of runs over generated chunks of two sizes, vectors from the mock; the difference a chunk."""
    took = []
    for size in sizes:
        chunks = corpus.make(size, seed)
        with tempfile.TemporaryDirectory(prefix='highwater-') as folder:
            wiki = pathlib.Path(folder) / 'wiki'
            product.write(wiki, chunks)
            vectors = dict(EMBEDDING='compatible/mock-embedding', EMBEDDING_URL=mock.url)
            mock.begin(0)
            ran = Run(binary, wiki, mock, vectors).do(str(wiki))
            stats = mock.end()
            calls = sum(kind['calls'] for name, kind in stats['kinds'].items() if name != 'embeddings')
            took.append(dict(ran, size=size, model_calls=calls))
    return took


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument('--highwater', required=True, help='the binary')
    ap.add_argument('--wiki', action='append', default=[], help='a folder of pages, as often as you like')
    ap.add_argument('--chunks', type=int, default=2000, help='generated chunks of the larger run')
    ap.add_argument('--seed', type=int, default=7)
    a = ap.parse_args()
    mock = Mock()
    try:
        columns = [a_row(pathlib.Path(wiki).name, over_a_wiki(a.highwater, pathlib.Path(wiki).resolve(), mock))
                   for wiki in a.wiki]
        took = marginal(a.highwater, mock, a.seed, [40, a.chunks])
    finally:
        mock.process.terminate()
        mock.process.wait()
    if columns:
        print('| | ' + ' | '.join(str(column[0]) for column in columns) + ' |\n|---|' + '--:|' * len(columns))
        for at, title in enumerate(TITLES, 1):
            print(f'| {title} | ' + ' | '.join(str(column[at]) for column in columns) + ' |')
        print()
    print('| generated chunks, vectors from a server | seconds | processor s | calls a chunk | texts embedded |')
    print('|--:|--:|--:|--:|--:|')
    for of in took:
        print(f"| {of['size']} | {of['wall']:.2f} | {of['cpu']:.2f} | {of['model_calls'] / of['size']:.3f} "
              f"| {of['embedded_texts']} |")
    few, many = took
    a_chunk = (many['cpu'] - few['cpu']) / (many['size'] - few['size']) * 1e3
    print(f'\nprocessor time a chunk beyond the first {few["size"]}: {a_chunk:.2f} ms')


if __name__ == '__main__':
    main()
