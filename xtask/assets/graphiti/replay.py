#!/usr/bin/env python3
"""A recorded reading of Wikipedia passages, replayed into graphiti-core and into Highwater, and both asked the same.

graphiti-core runs as it is, on a FalkorDB out of its wheel, against `recorded_model.py`. Prints Markdown tables: what
feeding took, which of the passages that support a question are found, and how long a question takes. Everything is on
loopback, and what was started is ended. `--keep` holds vectors and database between runs, so that a graph that took
long to feed can be asked again.
"""
import argparse
import asyncio
import json
import os
import pathlib
import random
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import asked  # noqa: E402
import ours  # noqa: E402
import peer  # noqa: E402
import recorded_model  # noqa: E402
from compare import Mock  # noqa: E402

DATA = HERE.parents[2] / 'benches/multihop'
# A day for all: the passages have none, and dates would order what the recording does not.
DAY = '2026-01-01T00:00:00+00:00'
# graphiti-core's limit of what it does at once holds at each of three levels: its default of 20 opens more connections
# than the database's client allows (100) where passages have some twenty facts. On two cores more would win nothing.
os.environ.setdefault('SEMAPHORE_LIMIT', '6')

PART = 50  # passages between two looks at the clock
FED = 'fed.json'  # beside a kept database: what feeding it took


def drawn(passages, questions, count, seed):
    """Those passages that support a question, then others as the seed shuffles them: as many as are wanted. A larger
    number goes on where a smaller one ended, so a kept graph can grow."""
    wanted = {one for q in questions for one in q['supporting']}
    others = [p for p in passages if p['id'] not in wanted]
    random.Random(seed).shuffle(others)
    return ([p for p in passages if p['id'] in wanted] + others)[:count or len(passages)]


def chunks(passages):
    """As `peer.ingest` takes them."""
    return [dict(id=str(p['id']), text=recorded_model.body(p), space='WIKI', page='passage', reference_time=DAY)
            for p in passages]


async def feed(g, mock, server, passages, a):
    """A part of the passages into the graph: what the model was asked, and the time it took."""
    mock.begin(0)
    own, theirs, wall = time.process_time(), peer.cpu(server.pid), time.perf_counter()
    await peer.ingest(g, chunks(passages), a.mode, a.batch)
    took = dict(wall=time.perf_counter() - wall, cpu=time.process_time() - own, db=peer.cpu(server.pid) - theirs)
    return dict(took, kinds=mock.end()['kinds'], passages=len(passages))


def added(one, other):
    """Two counts as one: numbers add up, however deep they lie."""
    if not isinstance(other, dict):
        return (one or 0) + other
    return {name: added((one or {}).get(name), value) if name in other else one[name]
            for name, value in {**(one or {}), **other}.items()}


async def fed_graph(mock, server, port, folder, passages, a):
    """The graph, fed now or in the runs that kept it, and what all of that took."""
    import redis
    g, told = await peer.graph(mock.url, port, 'replay'), folder / FED
    took = json.loads(told.read_text()) if told.is_file() else dict(passages=0)
    if took['passages'] > len(passages):
        raise SystemExit(f"`{folder}` holds {took['passages']} passages, expected at most {len(passages)}")
    until = time.perf_counter() + a.minutes * 60
    while took['passages'] < len(passages):
        part = passages[took['passages']:][:PART]
        took = added(took, await feed(g, mock, server, part, a))
        print(f"{took['passages']} of {len(passages)} passages fed, {took['wall']:.0f} s", file=sys.stderr)
        if a.keep:
            redis.Redis(port=port, socket_timeout=300).save()
            told.write_text(json.dumps(took))
        if time.perf_counter() > until and took['passages'] < len(passages):
            raise SystemExit('feeding is given up: see --minutes, --passages and --keep')
    names, facts = await peer.held(g)
    return g, dict(took, entities=len(names), facts=len(facts), mode=a.mode)


async def answers(g, mock, server, questions):
    """Each recipe's recall and times, and what a question asks of models and of the processors."""
    passages, found = await asked.Passages.read(g), {}
    for title, config in asked.recipes().items():
        mock.begin(0)
        own, theirs = time.process_time(), peer.cpu(server.pid)
        found[title] = await asyncio.wait_for(asked.ask(g, passages, questions, config), timeout=1800)
        spent = [time.process_time() - own, peer.cpu(server.pid) - theirs]
        calls = mock.end()['kinds'].get('embeddings', dict(calls=0))['calls']
        asked_in_all = len(questions) * asked.ROUNDS
        found[title] += ([seconds / asked_in_all * 1e3 for seconds in spent], calls / asked_in_all)
        print(f'{title}: asked', file=sys.stderr)
    return found


async def measured(mock, folder, passages, a):
    with peer.database(folder if a.keep else None) as (server, port):
        await loaded(port)
        g, took = await fed_graph(mock, server, port, folder, passages, a)
        try:
            return took, await answers(g, mock, server, lines(a.questions))
        finally:
            await g.close()
            for client in (g.llm_client, g.embedder, g.cross_encoder):
                await client.client.close()


async def loaded(port, seconds=300):
    """Waits until the database has read what was kept."""
    import redis
    for _ in range(seconds):
        try:
            redis.Redis(port=port).ping()
            return
        except redis.exceptions.BusyLoadingError:
            await asyncio.sleep(1)
    raise SystemExit(f'the database was not loaded in {seconds} s')


def lines(path):
    return [json.loads(line) for line in path.open(encoding='utf-8')]


def feeding(took, own):
    """What feeding took, side by side where Highwater ran too."""
    kinds = took['kinds']
    models = {kind: of for kind, of in kinds.items() if kind != 'embeddings'}
    total = lambda what: sum(of[what] for of in models.values())
    vectors = kinds.get('embeddings', dict(calls=0, items=0))
    said = own['said'] if own else {}
    rows = [('seconds', f"{took['wall']:.0f}", own and f"{own['wall']:.1f}"),
            ('processor seconds (+ database)', f"{took['cpu']:.0f} + {took['db']:.0f}", own and f"{own['cpu']:.1f}"),
            ('calls of a model', f"{total('calls'):,}", own and said.get('calls', 'none'))]
    rows += [(f'· {kind}', f"{of['calls']:,}", '') for kind, of in sorted(models.items())]
    rows += [('tokens: prompts', f"{total('prompt_tokens'):,}", ''),
             ('tokens: answers', f"{total('completion_tokens'):,}", ''),
             ('embedding calls, texts in them', f"{vectors['calls']:,}, {vectors['items']:,}", own and 'none'),
             ('entities, facts', f"{took['entities']:,}, {took['facts']:,}", '')]
    title = f"| feeding {took['passages']} passages | graphiti-core, {took['mode']} |"
    print(f"\n{title}{' Highwater |' if own else ''}")
    print('|---|--:|' + ('--:|' if own else ''))
    for title, theirs, ours_ in rows:
        print(f'| {title} | {theirs} |' + (f' {ours_} |' if own else ''))


def finding(found, own):
    """What each found, and how long it took."""
    print('\n| passages ranked by | R@2 | R@5 | R@10 |\n|---|--:|--:|--:|')
    share = lambda value: f'{value:.3f}'.removeprefix('0')
    row = lambda title, values: print(f"| {title} | {' | '.join(map(share, values))} |")
    for title, (recalls, *_) in found.items():
        for sort, values in recalls.items():
            row(f'{title}: {sort}', values)
    if own:
        row('Highwater', own['recall'])
    print('\n| a question, everything warm | p50 ms | p95 ms | processor ms (+ database) | embedding calls |')
    print('|---|--:|--:|--:|--:|')
    for title, (_, (median, late), (cpu, database), calls) in found.items():
        print(f'| {title} | {median:.1f} | {late:.1f} | {cpu:.1f} + {database:.1f} | {calls:.0f} |')
    if own:
        median, late, cpu = own['search']
        print(f'| Highwater, through `highwater mcp` | {median:.1f} | {late:.1f} | {cpu:.1f} | none |')


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--highwater', help='the binary, asked the same over the same passages')
    ap.add_argument('--questions', type=pathlib.Path, default=DATA / 'questions.jsonl')
    ap.add_argument('--passages', type=int, default=500, help='how many; 0 for all, which takes an hour or two')
    ap.add_argument('--seed', type=int, default=7, help='of the draw of passages')
    ap.add_argument('--mode', choices=['bulk', 'one by one'], default='one by one')
    ap.add_argument('--batch', type=int, default=10, help='passages in a bulk')
    ap.add_argument('--wording', choices=['triple', 'sentence'], default='triple', help='of a fact')
    ap.add_argument('--minutes', type=float, default=60, help='after which feeding is given up')
    ap.add_argument('--keep', type=pathlib.Path, help='a folder for vectors and database between runs')
    a = ap.parse_args()
    questions = lines(a.questions)
    passages = drawn(lines(DATA / 'passages.jsonl'), questions, a.passages, a.seed)
    with tempfile.TemporaryDirectory(prefix='replay-') as made:
        folder = (a.keep or pathlib.Path(made)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        recording = pathlib.Path(made) / 'passages.jsonl'
        recording.write_text(''.join(json.dumps(p) + '\n' for p in passages), encoding='utf-8')
        mock = Mock(str(HERE / 'recorded_model.py'), str(recording), '--also', str(a.questions), '--wording', a.wording,
                    '--vectors', str(folder / 'vectors.npz'))
        try:
            took, found = asyncio.run(measured(mock, folder, passages, a))
        finally:
            mock.process.terminate()
            mock.process.wait()
        own = ours.run(a.highwater, passages, recording, questions) if a.highwater else None
    print(f'{len(passages)} passages, {len(questions)} questions, load {os.getloadavg()[0]:.1f}')
    feeding(took, own)
    finding(found, own)


if __name__ == '__main__':
    main()
