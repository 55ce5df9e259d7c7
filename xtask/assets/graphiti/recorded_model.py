#!/usr/bin/env python3
"""The model server of `mock_llm.py`, answering with what a model once read in each passage, and with real vectors.

A passage is known by its whole text, title and all, in the section of the prompt that asks for its names or its facts;
texts before it, which some prompts show as context, are not looked at. Nothing has a date and nothing contradicts
anything. Equal names, and equal facts, in lower case are one; nothing else is. A summary is the sentences that hold the
name, as in the mock. Vectors are those of `minilm.py`. What is in the recording is embedded before the first answer, so
nobody waits for it; other texts when they are asked about.
"""
import argparse
import asyncio
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import minilm  # noqa: E402
import mock_llm  # noqa: E402
import numpy as np  # noqa: E402

# Texts after which it is told how far it is: computing them takes minutes.
AT_ONCE = 2500


def body(passage):
    """A passage as an episode: the title first, which a page has as its heading."""
    return f"{passage['title']}\n\n{passage['text']}"


def letters(text):
    """Letters and digits: what no prompt changes in a text."""
    return ''.join(filter(str.isalnum, text.lower()))


def triples(passage):
    """The recorded facts of three parts; what has other than three is nothing that could be told."""
    whole = lambda triple: len(triple) == 3 and all(isinstance(part, str) and part.strip() for part in triple)
    return [[part.strip() for part in triple] for triple in passage['triples'] if whole(triple)]


def names(passage):
    """The recorded names, and the ends of facts that the list lacks: a spelling each, the first."""
    found = {}
    for name in [*passage['entities'], *(end for s, _, o in triples(passage) for end in (s, o))]:
        if isinstance(name, str) and name.strip():
            found.setdefault(mock_llm.norm(name), name.strip())
    return list(found.values())


class Recording:
    """Answers to what is asked about a passage."""

    def __init__(self, passages, wording):
        self.wording = wording
        self.passages = {letters(body(passage)): passage for passage in passages}
        self.unknown = 0

    def said(self, triple, passage):
        """A fact in words: the triple, or the first sentence that holds both its ends, where one does."""
        if self.wording == 'sentence':
            ends = [mock_llm.norm(triple[0]), mock_llm.norm(triple[2])]
            for sentence in mock_llm.SENT.split(passage['text']):
                if all(end in mock_llm.norm(sentence) for end in ends):
                    return sentence.strip()
        return ' '.join(triple)

    def asked(self, prompt):
        passage = self.passages.get(letters(mock_llm.section(prompt, 'text')))
        if passage is None:
            self.unknown += 1
            print('a prompt shows a text that is not in the recording', file=sys.stderr)
        return passage

    def entities(self, prompt):
        passage = self.asked(prompt)
        found = names(passage) if passage else []
        return {'extracted_entities': [dict(name=name, entity_type_id=0, episode_indices=[0]) for name in found]}

    def edges(self, prompt):
        passage = self.asked(prompt)
        relation = lambda words: re.sub(r'[^A-Z0-9]+', '_', words.upper()).strip('_') or 'RELATES_TO'
        return {'edges': [
            dict(source_entity_name=triple[0], target_entity_name=triple[2], relation_type=relation(triple[1]),
                 fact=self.said(triple, passage), episode_indices=[0], valid_at=None, invalid_at=None)
            for triple in (triples(passage) if passage else [])]}

    def both(self, prompt):
        return {**self.entities(prompt), **self.edges(prompt)}

    def texts(self):
        """What will be embedded of it."""
        for passage in self.passages.values():
            yield from names(passage)
            yield from (self.said(triple, passage) for triple in triples(passage))


def undated(prompt):
    return {'timestamps': [dict(valid_at=None, invalid_at=None)
                           for _ in mock_llm.loads(mock_llm.section(prompt, 'facts'), [])]}


def the_same(prompt):
    new = mock_llm.norm(mock_llm.section(prompt, 'fact'))
    old = mock_llm.loads(mock_llm.section(prompt, 'old_facts'), [])
    return dict(duplicate_facts=[one['idx'] for one in old if mock_llm.norm(one['fact']) == new], contradicted_facts=[])


class Vectors:
    """Vectors by text, kept in a file where one is given."""

    def __init__(self, texts, kept):
        self.model, self.rows = minilm.Model(), {}
        texts = sorted({self.spelled(text) for text in texts})
        if kept and kept.is_file():
            held = np.load(kept)
            self.rows = dict(zip(held['texts'].tolist(), held['vectors']))
        missing = [text for text in texts if text not in self.rows]
        for at in range(0, len(missing), AT_ONCE):
            part = missing[at:at + AT_ONCE]
            self.rows.update(zip(part, self.model.embed(part)))
            print(f'{at + len(part)} of {len(missing)} texts embedded', file=sys.stderr)
            if kept:
                np.savez(kept, texts=np.array(list(self.rows)), vectors=np.array(list(self.rows.values())))

    @staticmethod
    def spelled(text):
        return text.replace('\n', ' ')

    def of(self, text, _dimensions=None):
        text = self.spelled(text)
        if text not in self.rows:
            self.rows[text] = self.model.embed([text])[0]
        return self.rows[text].tolist()


def teach(recording, vectors):
    """Puts the recording in the place of the mock's own answers."""
    answers = {
        'extract_nodes_and_edges': recording.both, 'extract_nodes': recording.entities,
        'extract_edges': recording.edges, 'resolve_edge': the_same, 'extract_timestamps_batch': undated,
        'extract_timestamps': lambda _: dict(valid_at=None, invalid_at=None),
    }
    mock_llm.KINDS = [(wanted, kind, answers.get(kind, own)) for wanted, kind, own in mock_llm.KINDS]
    mock_llm.embed = vectors.of


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('passages', type=pathlib.Path)
    ap.add_argument('--also', type=pathlib.Path, help='questions, which are embedded before they are asked')
    ap.add_argument('--vectors', type=pathlib.Path, help='a file that keeps them between runs')
    ap.add_argument('--wording', choices=['triple', 'sentence'], default='triple')
    a = ap.parse_args()
    lines = lambda path: [json.loads(line) for line in path.open(encoding='utf-8')]
    recording = Recording(lines(a.passages), a.wording)
    questions = [line['question'] for line in lines(a.also)] if a.also else []
    teach(recording, Vectors([*recording.texts(), *questions], a.vectors))
    sys.argv = [sys.argv[0], '--port', '0', '--dim', str(minilm.WIDTH)]
    asyncio.run(mock_llm.main())


if __name__ == '__main__':
    main()
