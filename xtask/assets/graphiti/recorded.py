#!/usr/bin/env python3
"""A recorded extraction in the form that `cargo run -p knowledge --example questions_asked` reads: a chunk a line.

Reads passages as JSONL: `title`, `text`, `entities` (names), `triples` (subject, relation, object). The triples have
no quotes: a triple stands on the sentence that holds both its ends, or else on the whole passage. What the product
would not believe is left out: triples of other than three parts, and ends that are not in the passage. With `--dated`
every passage is a page of a day of its own; without, nothing has a date, and then nothing can end anything.
"""
import argparse
import datetime
import json
import pathlib
import re
import sys

SENTENCE = re.compile(r'(?<=[.!?])\s+|\n+')
RELATION_CHARS = 40  # as the product has them
FIRST_DAY = datetime.date(2020, 1, 1)


def plain(words):
    return ' '.join(str(words).lower().split())


def snake(relation):
    return re.sub(r'[^a-z0-9]+', '_', relation.lower()).strip('_')


def chunk(number, passage, dated):
    text = plain(f"{passage['title']}\n{passage['text']}")
    sentences = SENTENCE.split(passage['text'])
    names, places, claims = [], {}, []

    def place(name):
        """The position of a name that stands in the passage."""
        key = plain(name)
        if key in text and key not in places and any(map(str.isalpha, key)) and 2 <= len(key) <= 120:
            places[key] = len(names)
            names.append(name)
        return places.get(key)

    for name in passage['entities']:
        place(name)
    known = set(places)
    for triple in passage['triples']:
        if len(triple) != 3 or not all(isinstance(part, str) for part in triple):
            continue
        subject, relation, value = place(triple[0]), snake(triple[1]), plain(triple[2])
        if subject is None or not 2 <= len(relation) <= RELATION_CHARS or value not in text or not value:
            continue
        target = places[value] if value in known else triple[2]
        if target == subject:
            continue
        both = lambda sentence: plain(triple[0]) in plain(sentence) and value in plain(sentence)
        claims.append([subject, relation, target, next(filter(both, sentences), passage['text']), None, None])
    day = (FIRST_DAY + datetime.timedelta(days=number)).isoformat() if dated else None
    return dict(page=f'{number}', space='RECORDED', modified=day and f'{day}T00:00:00Z', names=names, claims=claims)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('passages', type=pathlib.Path)
    ap.add_argument('--dated', action='store_true')
    a = ap.parse_args()
    if not a.passages.is_file():
        sys.exit(f'`{a.passages}`: there is no such recording, expected passages as JSONL')
    for number, line in enumerate(a.passages.open(encoding='utf-8')):
        print(json.dumps(chunk(number, json.loads(line), a.dated), ensure_ascii=False))


if __name__ == '__main__':
    main()
