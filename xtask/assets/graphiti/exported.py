"""A graph of Highwater's as graphiti-core would hold it: what `highwater export --with passages` wrote, with its vectors.

An entity is a node, a fact is an edge whose words are the sentence that it stands on, a passage is an episode. A value
that a fact leads to is a node of that name. Vectors are those that the state file keeps, so both compare with the same
numbers; a text that has none (values, names with a key) gets one that nothing is near to. Facts that say nothing to a
reader of now, because no page says them any more, are not loaded; dates are not either.
"""
import json
import sqlite3
import uuid

import minilm
import numpy as np


class Exported:
    """What a folder of `bench quality speed --folder` holds, from its export."""

    def __init__(self, folder, group, now):
        self.folder, self.group, self.now = folder, group, now
        self.state = sqlite3.connect(f'file:{folder / "state.db"}?mode=ro', uri=True)
        self.nodes, self.held, self.episodes = {}, [], {}
        with open(folder / 'graph.jsonl', encoding='utf-8') as lines:
            for line in lines:
                self.take(json.loads(line))
        self.without = self.made = 0

    def take(self, line):
        if line['kind'] == 'entity':
            self.nodes[line['id']] = (line['name'], ' '.join(line.get('summaries', [])))
        elif line['kind'] == 'fact' and any(support['ended'] is None for support in line['supports']):
            self.held.append(self.fact(line))
        elif line['kind'] == 'passage' and line['ended'] is None:
            self.episodes[line['id']] = (' > '.join(line['path']), line['text'])

    def fact(self, line):
        """Its id, ends, relation, words and passages."""
        said = [support for support in line['supports'] if support['ended'] is None]
        target = line['object'] or dict(id=value_id(line['value']), name=line['value'])
        self.nodes.setdefault(target['id'], (target['name'], ''))
        self.nodes.setdefault(line['subject']['id'], (line['subject']['name'], ''))
        words = said[0]['sentence'] or f"{line['subject']['name']} {line['relation']} {target['name']}"
        return (line['id'], line['subject']['id'], target['id'], line['relation'], words,
                list(dict.fromkeys(support['chunk'] for support in said)))

    def id(self):
        self.made += 1
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f'edge {self.made}'))

    def vector(self, table, one):
        """The kept vector of a row; of a text that has none, one that nothing is near to."""
        found = self.state.execute(
            f'SELECT v.vector FROM {table} t JOIN vector_of o ON o.kind = ? AND o.row = t.row '
            f'JOIN vector v USING (text_hash) WHERE t.{table} = ?', (table, bytes.fromhex(one))).fetchone()
        if found is None:
            self.without += 1
            vector = np.random.default_rng(int(one[:8], 16)).standard_normal(minilm.WIDTH)
        else:
            vector = np.frombuffer(found[0], np.int8).astype(np.float32)
        return (vector / np.linalg.norm(vector)).round(4).tolist()

    def entities(self):
        for one, (name, summary) in self.nodes.items():
            yield dict(uuid=as_uuid(one), name=name, group_id=self.group, created_at=self.now, summary=summary,
                       name_embedding=self.vector('node', one))

    def parts(self, count):
        """Facts, about so many at a time, with the episodes that come with them."""
        told = set()
        for at in range(0, len(self.held), count):
            facts = [self.edge(*held) for held in self.held[at:at + count]]
            new = {chunk for held in self.held[at:at + count] for chunk in held[5]} - told
            told |= new
            yield facts, [self.episode(chunk) for chunk in sorted(new)]

    def edge(self, one, source, target, relation, words, chunks):
        return dict(
            uuid=as_uuid(one), source_node_uuid=as_uuid(source), target_node_uuid=as_uuid(target),
            name=relation.upper(), fact=words, group_id=self.group, episodes=[as_uuid(chunk) for chunk in chunks],
            created_at=self.now, expired_at=None, valid_at=None, invalid_at=None, reference_time=self.now,
            fact_embedding=self.vector('fact', one))

    def episode(self, chunk):
        path, text = self.episodes.get(chunk, (chunk, ''))
        return dict(uuid=as_uuid(chunk), name=path, group_id=self.group, source_description='wiki', source='text',
                    content=text, entity_edges=[], created_at=self.now, valid_at=self.now)

    def questions(self, count):
        """The questions that the product was asked, with their vectors."""
        words = (self.folder / 'questions.txt').read_text(encoding='utf-8').splitlines()[:count]
        vectors = minilm.Model().embed(words)
        return list(zip(words, vectors.round(4).tolist()))


def as_uuid(one):
    return str(uuid.UUID(hex=one))


def value_id(value):
    return uuid.uuid5(uuid.NAMESPACE_OID, value).hex
