"""What is true of the generated chunks, by the generator's own sentences, and how near a graph comes to it.

A relation of `mock_llm.FUNCTIONAL` has one value at a time. Each value is said on a day: the one its sentence names, or
else the day its chunk was written. It ends on the next day on which the same subject is said to have another value.
"""
import re

import mock_llm


def value_of(fact):
    """Subject, relation and value of a fact whose relation has one value at a time."""
    found = mock_llm.functional(fact)
    if not found:
        return None
    subject, relation, rest = found
    return subject, relation, re.split(r' (?:since|from|until|on|as of) ', rest)[0]


def names(chunks):
    return {mock_llm.norm(name) for c in chunks for name in mock_llm.entities_of(c['text'])}


def ended(chunks):
    """Every stretch that ended: subject, relation, value, day."""
    said = {}
    for c in chunks:
        for f in mock_llm.facts_of(c['text']):
            found = value_of(f['fact'])
            if found:
                day = mock_llm.DATE.search(f['fact'])
                began = day.group(1) + 'T00:00:00' if day else c['reference_time'][:19]
                said.setdefault(found[:2], set()).add((began, found[2]))
    out = set()
    for (subject, relation), days in said.items():
        for began, value in days:
            later = [day for day, other in days if day > began and other != value]
            if later:
                out.add((subject, relation, value, min(later)[:10]))
    return out


def score(chunks, graph):
    """Names found, facts that ended, and how many of these ended as they did."""
    wanted, known = ended(chunks), names(chunks)
    found = {mock_llm.norm(name) for name in graph['names']}
    ends = {(fact, end[:10]) for fact, end, _ in graph['facts'] if end}
    told = {(*(value_of(fact) or (fact, '', '')), end) for fact, end in ends}
    right = len(told & wanted)
    return dict(names_wanted=len(known), names_found=len(known & found), entities=len(graph['names']),
                wanted=len(wanted), ended=len(told), right=right,
                precision=right / len(told) if told else None, recall=right / len(wanted) if wanted else None)
