"""Highwater's real binary over the same chunks, a page each: what it asks, what it takes, what graph it makes."""
import os
import pathlib
import sqlite3
import subprocess
import tempfile
import time

import mock_llm


def write(wiki, chunks):
    (wiki / 'ENG').mkdir(parents=True)
    for c in chunks:
        front = f"---\ntitle: {c['name']}\ndate: {c['reference_time']}\n---\n"
        (wiki / 'ENG' / f"{c['id']}.md").write_text(front + c['text'] + '\n')


def run(mock, chunks, binary, latency_ms, settings):
    with tempfile.TemporaryDirectory(prefix='highwater-') as folder:
        folder = pathlib.Path(folder)
        write(folder / 'wiki', chunks)
        given = dict(EMBEDDING='none', MODEL='compatible/mock', MODEL_URL=mock.url, **settings)
        env = dict(os.environ, **{f'HIGHWATER_{name}': value for name, value in given.items()})
        mock.begin(latency_ms)
        wall = time.perf_counter()
        child = subprocess.Popen([binary, 'pipeline', 'wiki', '--quiet'], cwd=folder, env=env, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        took = dict(wall=time.perf_counter() - wall, cpu=used.ru_utime + used.ru_stime, db=0.0)
        if child.returncode:
            raise SystemExit(f'highwater ended with {child.returncode}')
        stats = mock.end()
        with sqlite3.connect(folder / 'highwater.db') as state:
            return dict(took, stats=stats, **held(state))


def held(state):
    """Names, facts as the generator words them, and what is held twice."""
    rows = lambda sql: state.execute(sql).fetchall()
    names = [name for name, in rows('SELECT name FROM entity')]
    shown = dict(rows('SELECT node, name FROM node'))
    facts = rows('SELECT fact, subject, object, value, invalid_at, withdrawn, folded_into FROM fact')
    sentences = {}
    for fact, sentence in rows('SELECT fact, sentence FROM support WHERE ended IS NULL'):
        sentences.setdefault(fact, []).append(sentence)
    # A fact that is shown speaks for those that were folded into it, each with ends of its own.
    worded = {}
    for fact, subject, obj, value, _, _, folded in facts:
        ends = {shown[subject].lower(), (shown[obj] if obj else value).lower()}
        words = {one for sentence in sentences.get(fact, []) for one in wordings(sentence, ends)}
        worded.setdefault(folded or fact, set()).update(words)
    spells = {}
    for fact, end in rows('SELECT fact, invalid_at FROM spell'):
        spells.setdefault(fact, []).append(end)
    told, held_words, live = [], [], 0
    for fact, *_, end, withdrawn, folded in facts:
        if folded or withdrawn:
            continue
        live += 1
        held_words.extend({mock_llm.norm(one) for one in worded[fact]})
        for one in worded[fact]:
            told.extend((one, until or '', bool(until)) for until in [*spells.get(fact, []), end])
    repeated = len(held_words) - len(set(held_words))
    return dict(names=names, facts=told, live=live, repeated=repeated)


def wordings(sentence, ends):
    """The generator's facts in a sentence that have these ends."""
    facts = mock_llm.facts_of(sentence)
    return [f['fact'] for f in facts if {mock_llm.norm(f['source']), mock_llm.norm(f['target'])} == ends]
