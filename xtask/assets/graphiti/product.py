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
    # What a fact stands on, and what the facts stand on that were folded into it.
    speaks_for = {fact: folded or fact for fact, *_, folded in facts}
    sentences = {}
    for fact, sentence in rows('SELECT fact, sentence FROM support WHERE ended IS NULL'):
        sentences.setdefault(speaks_for[fact], []).append(sentence)
    spells = {}
    for fact, end in rows('SELECT fact, invalid_at FROM spell'):
        spells.setdefault(fact, []).append(end)
    told, worded, live = [], [], 0
    for fact, subject, obj, value, end, withdrawn, folded in facts:
        if folded or withdrawn:
            continue
        live += 1
        ends = {shown[subject].lower(), (shown[obj] if obj else value).lower()}
        words = {words for sentence in sentences.get(fact, []) for words in wordings(sentence, ends)}
        worded.extend({mock_llm.norm(one) for one in words})
        for one in words:
            told.extend((one, until or '', bool(until)) for until in [*spells.get(fact, []), end])
    return dict(names=names, facts=told, live=live, repeated=len(worded) - len(set(worded)))


def wordings(sentence, ends):
    """The generator's facts in a sentence that have these ends."""
    facts = mock_llm.facts_of(sentence)
    return [f['fact'] for f in facts if {mock_llm.norm(f['source']), mock_llm.norm(f['target'])} == ends]
