#!/usr/bin/env python3
"""What the product believed of a real model's answers, read from its state file: `report.py STATE`."""
import json
import sqlite3
import sys

# Reasons for which a fact was lost; the others cost a name, a date, or nothing.
OF_FACTS = {'subject or object not among the entities', 'subject and object are the same', 'not a relation', 'no quote',
            'quote not in the chunk', 'quote does not speak of subject and object', 'value not in the quote'}


def main():
    state = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True)
    rows = lambda sql: state.execute(sql).fetchall()
    one = lambda sql: rows(sql)[0][0] or 0
    readings = [json.loads(reading) for reading, in rows('SELECT reading FROM answer')]
    kept = sum(len(reading.get('claims', [])) for reading in readings)
    doubts = dict(rows('SELECT what, count FROM doubt'))
    refused = sum(count for what, count in doubts.items() if what in OF_FACTS)
    print('| | |\n|---|--:|')
    row = lambda what, value: print(f'| {what} | {value} |')
    row('pages', one('SELECT count(*) FROM page'))
    row('chunks that were read', len(readings))
    row('chunks passed after all their chances', one('SELECT count(*) FROM refused_chunk'))
    for ended, calls in rows('SELECT ended, count(*) FROM call GROUP BY ended'):
        row(f'calls: {ended}', calls)
    row('tokens of answers', one('SELECT sum(output_tokens) FROM call'))
    row('names kept', sum(len(reading.get('mentions', [])) for reading in readings))
    row('facts kept', kept)
    row('facts refused', refused)
    row('share of its facts refused', f'{refused / (kept + refused):.0%}' if kept + refused else 'it stated none')
    for what, count in sorted(doubts.items(), key=lambda item: (-item[1], item[0])):
        row(f'· {what}', count)
    row('facts of the model in the graph', one("SELECT count(*) FROM fact WHERE extractor LIKE '%model%'"))
    for chunk, why in rows('SELECT hex(chunk), why FROM refused_chunk'):
        row(f'passed: {chunk[:12]}', why)


if __name__ == '__main__':
    main()
