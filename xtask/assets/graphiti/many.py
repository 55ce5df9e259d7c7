#!/usr/bin/env python3
"""How long graphiti-core's own search takes on FalkorDB over many facts: synthetic sentences in its schema, or with
`--from` the very facts that `bench quality speed --folder` has made, which Highwater is asked about as well.

Nobody feeds a hundred thousand facts through a model to time a search, so they are loaded with graphiti-core's own
statements, indexes first, as it would have left them: entities, an episode for ten facts, facts with vectors. A topic
has forty entities and words of its own; vectors lie around the topic's middle, as those of sentences about one thing
do. Questions are a dozen words about one topic, their vectors are given. Nothing is asked of a model.
"""
import argparse
import asyncio
import datetime as dt
import os
import pathlib
import random
import sys
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import asked  # noqa: E402
import exported  # noqa: E402
import minilm  # noqa: E402
import numpy as np  # noqa: E402
import ours  # noqa: E402
import peer  # noqa: E402

GROUP = 'many'
IN_TOPIC, IN_EPISODE = 40, 10
AT_ONCE = 500  # facts in a statement: some 2 MB of it, vectors are text there
# As much of a vector is its own as its topic's: two of a topic have a cosine of a half, as sentences about one thing.
OWN = 1.0
# Words are made of these; a topic has some of its own, all share the common ones, of which the first are frequent: the
# share of a word falls with its rank. So a question meets about as many facts as those of `benches/multihop` do there
# (7 in 100).
COMMON, FLAT = 400, 10
STEMS = 'ar bel cor dan el fan gor hal in jun kel lor mar nor ol pan quin ros sel tor ul ver wen yor zan'.split()
ENDS = 'ta mer dine lock vale ster wick gate field port ring stone light form line'.split()
VERBS = 'depends on,is owned by,reports to,was replaced by,sends data to,is reviewed by,is deployed with'.split(',')
ASKED = ('who is responsible for the {0} {1} of {2}', 'which {0} does {2} use with {1} after the {3}',
         'why was {2} given up and what happened to the {0} {1} then',
         'what did the {0} of {2} decide about the {1} and the {3} last year')


class Wiki:
    """What is loaded, from a seed alone."""

    def __init__(self, facts, seed):
        self.random, self.rows = random.Random(seed), np.random.default_rng(seed)
        self.topics = max(1, facts // (IN_TOPIC * 5))
        made = [a + b + c for a in STEMS for b in STEMS for c in ENDS]
        self.random.shuffle(made)
        self.common, made = made[:COMMON], made[COMMON:]
        self.weights = [1 / (rank + FLAT) for rank in range(COMMON)]
        self.words = [[made[(at * 8 + one) % len(made)] for one in range(8)] for at in range(self.topics)]
        self.middles = self.unit(self.rows.standard_normal((self.topics, minilm.WIDTH)))
        self.names = [[self.name(words) for _ in range(IN_TOPIC)] for words in self.words]
        self.facts = facts

    def name(self, words):
        return ' '.join([*self.random.sample(words, 2), self.shared()]).title()

    def shared(self):
        return self.random.choices(self.common, self.weights)[0]

    @staticmethod
    def unit(rows):
        return rows / np.linalg.norm(rows, axis=-1, keepdims=True)

    def vectors(self, topics):
        noise = self.unit(self.rows.standard_normal((len(topics), minilm.WIDTH)))
        return self.unit(self.middles[topics] + OWN * noise).round(4).tolist()

    def id(self):
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def entities(self):
        """A node for each entity, topic by topic."""
        self.ids = [[self.id() for _ in names] for names in self.names]
        for topic, names in enumerate(self.names):
            for one, name, vector in zip(self.ids[topic], names, self.vectors([topic] * len(names))):
                summary = f'{name} is a {self.shared()} of {self.random.choice(self.words[topic])}'
                yield dict(uuid=one, name=name, group_id=GROUP, created_at=NOW, summary=summary, name_embedding=vector)

    def episode(self, at):
        """An episode's facts, all of one topic, and itself with their sentences."""
        topic, one = at % self.topics, self.id()
        words, names, facts = self.words[topic], self.names[topic], []
        for vector in self.vectors([topic] * IN_EPISODE):
            source, target = self.random.sample(range(IN_TOPIC), 2)
            verb = self.random.choice(VERBS)
            own, other = self.random.sample(words, 2)
            fact = (f'{names[source]} {verb} {names[target]} for the {own} {self.shared()} '
                    f'and the {other} {self.shared()}')
            facts.append(dict(
                uuid=self.id(), source_node_uuid=self.ids[topic][source], target_node_uuid=self.ids[topic][target],
                name=verb.upper().replace(' ', '_'), fact=fact, group_id=GROUP, episodes=[one], created_at=NOW,
                expired_at=None, valid_at=None, invalid_at=None, reference_time=NOW, fact_embedding=vector))
        text = '. '.join(fact['fact'] for fact in facts)
        return facts, dict(uuid=one, name=f'page {at}', group_id=GROUP, source_description='wiki', source='text',
                           content=text, entity_edges=[fact['uuid'] for fact in facts], created_at=NOW, valid_at=NOW)

    def parts(self, count):
        """Facts, about so many at a time, with their episodes."""
        for at in range(0, self.facts // IN_EPISODE, count // IN_EPISODE):
            episodes = [self.episode(one) for one in range(at, at + count // IN_EPISODE)]
            yield [fact for of, _ in episodes for fact in of], [one for _, one in episodes]

    def questions(self, count):
        """Questions with their vectors."""
        for at in range(count):
            topic = self.random.randrange(self.topics)
            own, other = self.random.sample(self.words[topic], 2)
            words = ASKED[at % len(ASKED)].format(self.shared(), own, self.random.choice(
                self.names[topic]), other)
            yield words, self.vectors([topic])[0]


NOW = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc).isoformat()


def at_once(rows, count):
    part = []
    for row in rows:
        part.append(row)
        if len(part) == count:
            yield part
            part = []
    if part:
        yield part


async def load(g, wiki):
    """The wiki into the database by graphiti-core's own statements."""
    from graphiti_core.driver.driver import GraphProvider
    from graphiti_core.models.edges import edge_db_queries as edges
    from graphiti_core.models.nodes import node_db_queries as nodes
    falkor, run = GraphProvider.FALKORDB, g.driver.execute_query
    begun = time.perf_counter()
    for part in at_once(wiki.entities(), AT_ONCE):
        statement = nodes.get_entity_node_save_bulk_query(falkor, [dict(part[0], labels=['Entity'])])[0][0]
        await run(statement, nodes=part)
    loaded, told = 0, set()
    for facts, episodes in wiki.parts(AT_ONCE):
        if episodes:
            await run(nodes.get_episode_node_save_bulk_query(falkor), episodes=episodes)
        await run(edges.get_entity_edge_save_bulk_query(falkor), entity_edges=facts)
        mentions = {(episode, fact[end]) for fact in facts for episode in fact['episodes']
                    for end in ('source_node_uuid', 'target_node_uuid')} - told
        told |= mentions
        await run(edges.get_episodic_edge_save_bulk_query(falkor), episodic_edges=[
            dict(uuid=wiki.id(), source_node_uuid=episode, target_node_uuid=node, group_id=GROUP, created_at=NOW)
            for episode, node in sorted(mentions)])
        loaded += len(facts)
        if loaded % (20 * AT_ONCE) == 0:
            print(f'{loaded} facts, {time.perf_counter() - begun:.0f} s', file=sys.stderr)
    return time.perf_counter() - begun


async def timed(g, questions, config, seconds):
    """How long each question takes, after one that warms; it ends early where `seconds` are over."""
    took, until = [], time.perf_counter() + seconds
    await g.search_(questions[0][0], config, group_ids=[GROUP], query_vector=questions[0][1])
    for words, vector in questions:
        start = time.perf_counter()
        found = await g.search_(words, config, group_ids=[GROUP], query_vector=vector)
        took.append(time.perf_counter() - start)
        if not found.edges:
            raise SystemExit(f'nothing was found for `{words}`: that is no search to time')
        if time.perf_counter() > until:
            break
    return took


async def sharing(g, questions):
    """How many facts the index of words gives for a question, at the mean: each of them is scored."""
    statement = "CALL db.idx.fulltext.queryRelationships('RELATES_TO', $query) YIELD score RETURN count(score) AS n"
    found = [(await g.driver.execute_query(statement, query=g.driver.build_fulltext_query(words, [GROUP])))[0][0]['n']
             for words, _ in questions[:10]]
    return sum(found) / len(found)


def of_ours(binary, folder, questions):
    """How long `highwater mcp` takes over the same facts, for the same questions, after one that warms."""
    os.environ.update(HIGHWATER_VAULT=str(folder / 'vault'), HIGHWATER_STATE=str(folder / 'state.db'))
    assistant, took = ours.Assistant(binary, folder), []
    try:
        assistant.search(questions[0][0])
        spent = peer.cpu(assistant.process.pid)
        for words, _ in questions:
            start = time.perf_counter()
            found = assistant.search(words)
            took.append(time.perf_counter() - start)
            if found.get('isError') or not found['structuredContent']['results']:
                raise SystemExit(f'nothing was found for `{words}`: that is no search to time')
        return took, (peer.cpu(assistant.process.pid) - spent) / len(questions) * 1e3
    finally:
        assistant.close()


async def measured(a):
    wiki = exported.Exported(a.folder, GROUP, NOW) if a.folder else Wiki(a.facts, a.seed)
    with peer.database() as (server, port):
        g = await peer.graph('http://127.0.0.1:9/v1', port, GROUP)
        took = await load(g, wiki)
        count = (await g.driver.execute_query('MATCH ()-[e:RELATES_TO]->() RETURN count(e) AS n'))[0][0]['n']
        held = pathlib.Path(f'/proc/{server.pid}/status').read_text().split('VmRSS:')[1].split()[0]
        questions = list(wiki.questions(a.questions))
        things = [(await g.driver.execute_query(f'MATCH (n:{label}) RETURN count(n) AS n'))[0][0]['n']
                  for label in ('Entity', 'Episodic')]
        print(f'{count:,} facts, {things[0]:,} entities, {things[1]:,} episodes, loaded in '
              f'{took:.0f} s; {int(held) / 1024:,.0f} MB in the database; {await sharing(g, questions):,.0f} facts '
              f'share a word with a question; load {os.getloadavg()[0]:.1f}')
        if a.folder:
            print(f'{wiki.without:,} names and facts have no kept vector, and get one that nothing is near to')
        print('\n| a question | p50 ms | p95 ms | questions | processor ms (+ database) |\n|---|--:|--:|--:|--:|')
        for title, config in asked.recipes().items():
            own, theirs = time.process_time(), peer.cpu(server.pid)
            times = await timed(g, questions, config, a.seconds)
            spent = [(now - before) / (len(times) + 1) * 1e3 for now, before in (
                (time.process_time(), own), (peer.cpu(server.pid), theirs))]
            median, late = asked.quantiles(times)
            row = [f'{median:.1f}', f'{late:.1f}', len(times), f'{spent[0]:.0f} + {spent[1]:.0f}']
            print(f"| {title} | {' | '.join(map(str, row))} |", flush=True)
        await g.close()
    if a.folder:
        times, spent = of_ours(a.highwater, a.folder, questions)
        median, late = asked.quantiles(times)
        print(f'| Highwater, through `highwater mcp`, 8 results | {median:.1f} | {late:.1f} | {len(times)} | {spent:.0f} |')


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--facts', type=int, default=100_000)
    ap.add_argument('--questions', type=int, default=50)
    ap.add_argument('--seconds', type=float, default=180, help='for a recipe, at most')
    ap.add_argument('--seed', type=int, default=7)
    ap.add_argument('--from', dest='folder', type=pathlib.Path, help='what `bench quality speed --folder` has made')
    ap.add_argument('--highwater', help='the binary that is asked about it')
    asyncio.run(measured(ap.parse_args()))


if __name__ == '__main__':
    main()
