#!/usr/bin/env python3
"""Deterministic mock LLM + embedding server (Python 3.9+, standard library only).

Speaks enough of these protocols for graph-building clients:
  POST /v1/chat/completions          OpenAI chat, response_format json_schema | json_object
  POST /v1/responses                 OpenAI responses, text.format json_schema
  POST /v1/embeddings                OpenAI embeddings (float or base64)
  POST .../models/M:generateContent  Gemini / Vertex AI
  POST .../models/M:embedContent, :batchEmbedContents, :predict
Control:
  GET  /mock/stats     counters per prompt kind since the last reset; how many chunks and questions were answered,
                       and how many of these answers were not the first to the same
  GET  /mock/arrivals  when each chat request came, and whether the limit let it in
  POST /mock/reset     clear counters (and the rate window)
  POST /mock/config    {"latency_ms":200,"rpm":5,...} change any option while it runs
  POST /mock/oracle    {"text": "..."} -> the entities and facts the mock would answer
  GET  /mock/health

The prompt kind is found from the property names of the requested JSON schema, and
the inputs from the tagged sections of the prompt (see SECTIONS), so any client that
asks for the same shapes gets the same "model". Answers are a pure function of the
request. Faults (429, 503, cut-off JSON) are counted, not random.
"""
import argparse
import asyncio
import base64
import hashlib
import json
import math
import re
import signal
import struct
import sys
import time
from collections import deque

OPT = dict(latency_ms=0.0, ms_per_out_token=0.0, rpm=0, rpm_window=60.0, embed_latency_ms=0.0,
           embed_rpm=0, dim=1024, undated_pct=30, fail_every=0, cut_every=0, embed_fail_every=0,
           retry_after=None, log='')

# ---------------------------------------------------------------- oracle
WORD = r"[A-Z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*"
NAME = re.compile(rf"\b{WORD}(?: {WORD})+\b|\b[A-Z]{{2,}}-\d+\b")
LEAD = {'The', 'A', 'An', 'In', 'On', 'At', 'Since', 'From', 'When', 'After', 'Before', 'If', 'As', 'For',
        'Until', 'Every', 'Each', 'All', 'This', 'That', 'During', 'Both', 'Our', 'Its', 'Today', 'Page',
        'Owner', 'Section', 'Space', 'Note', 'Only', 'No', 'Currently', 'Previously', 'Effective'}
SENT = re.compile(r'(?<=[.!?])\s+|\n+')
DATE = re.compile(r'\b(\d{4}-\d{2}-\d{2})\b')
END_DATE = re.compile(r'\b(?:until|through|ended on|retired on)\s+(\d{4}-\d{2}-\d{2})')
# relations that hold one value at a time: a new value contradicts the old one
FUNCTIONAL = ('is owned by', 'is deployed on', 'stores its data in', 'is led by', 'reports to')
STOP = {'the', 'a', 'an', 'its', 'their', 'and', 'of', 'to', 'in', 'on', 'for', 'with', 'by', 'is', 'are', 'was'}


def norm(s):
    return re.sub(r'\s+', ' ', s.lower()).strip()


def names_in(text):
    out = []
    for m in NAME.finditer(text):
        words, start = m.group(0).split(' '), m.start()
        while words and words[0] in LEAD:
            start += len(words[0]) + 1
            words = words[1:]
        if len(words) >= 2 or (len(words) == 1 and re.match(r'^[A-Z]{2,}-\d+$', words[0])):
            out.append((start, ' '.join(words)))
    return out


def entities_of(text):
    seen = {}
    for line in text.split('\n'):
        for _, n in names_in(line):
            seen.setdefault(norm(n), n)
    return list(seen.values())


def facts_of(text, allowed=None):
    """Consecutive names in a sentence, joined by the words between them."""
    facts, seen = [], set()
    for sent in SENT.split(text):
        ns = [(p, n) for p, n in names_in(sent) if allowed is None or norm(n) in allowed]
        for (p1, a), (p2, b) in zip(ns, ns[1:]):
            if norm(a) == norm(b):
                continue
            between = sent[p1 + len(a):p2].strip()
            verb = [w for w in re.findall(r"[a-z]+", between) if w not in STOP]
            if not verb:
                continue
            rel = '_'.join(verb[:3]).upper()
            fact = f'{a} {between} {b}'
            tail = sent[p2 + len(b):].strip()
            if DATE.search(tail) and not names_in(tail):
                fact += ' ' + tail.rstrip('.')
            key = norm(fact)
            if key in seen:
                continue
            seen.add(key)
            facts.append(dict(source=a, target=b, relation=rel, fact=fact))
    return facts


def h(s):
    return int.from_bytes(hashlib.blake2b(s.encode(), digest_size=8).digest(), 'big')


def times_of(fact, ref):
    d = DATE.search(fact)
    e = END_DATE.search(fact)
    if e:
        start = d.group(1) if d and d.group(1) != e.group(1) else None
        return (f'{start}T00:00:00Z' if start else iso(ref)), f'{e.group(1)}T00:00:00Z'
    if d:
        return f'{d.group(1)}T00:00:00Z', None
    if h(norm(fact)) % 100 < OPT['undated_pct']:
        return None, None
    return iso(ref), None


def iso(ref):
    m = re.search(r'\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}', ref or '')
    return m.group(0).replace(' ', 'T') + 'Z' if m else None


def functional(fact):
    f = norm(fact)
    for p in FUNCTIONAL:
        i = f.find(' ' + p + ' ')
        if i > 0:
            return f[:i], p, f[i + len(p) + 2:]
    return None


def contradicts(new, old):
    a, b = functional(new), functional(old)
    if not a or not b or a[0] != b[0] or a[1] != b[1]:
        return False
    cut = lambda s: re.split(r' (?:since|from|until|on|as of) ', s)[0]
    return cut(a[2]) != cut(b[2])


def summary_of(name, text, old):
    sents = [s.strip() for s in SENT.split(text) if name.lower() in s.lower()]
    out = (old + ' ' if old else '') + ' '.join(s for s in sents if s not in (old or ''))
    return out.strip()[:600]


# ---------------------------------------------------------------- prompt reading
SECTIONS = {
    'text': ['TEXT', 'CURRENT MESSAGE', 'CURRENT_MESSAGE', 'CURRENT MESSAGES', 'JSON', 'EPISODES', 'EPISODE', 'CHUNKS',
             'CHUNK', 'DOCUMENT'],
    'entities': ['ENTITIES'],
    'existing': ['EXISTING ENTITIES', 'EXISTING_ENTITIES', 'CANDIDATES'],
    'facts': ['FACTS', 'NEW FACTS', 'NEW_FACTS'],
    'fact': ['FACT', 'NEW FACT', 'NEW_FACT'],
    'old_facts': ['EXISTING FACTS', 'EXISTING_FACTS'],
    'inval': ['FACT INVALIDATION CANDIDATES', 'INVALIDATION_CANDIDATES'],
    'ref': ['REFERENCE_TIME', 'REFERENCE TIME'],
    'messages': ['MESSAGES', 'EPISODES', 'TEXT'],
}


def section(prompt, what):
    for tag in SECTIONS[what]:
        m = re.search(rf'<{re.escape(tag)}>\n?(.*?)\n?\s*</{re.escape(tag)}>', prompt, re.S)
        if m:
            return m.group(1)
    return ''


def loads(s, default):
    import ast
    for f in (json.loads, ast.literal_eval):
        try:
            return f(s.strip())
        except Exception:
            pass
    return default


def episodes_in(text):
    """[Episode N] headers or {"id":..,"text":..} lines; a plain text is episode 0."""
    parts = re.split(r'^\[Episode (\d+)\][^\n]*\n', text, flags=re.M)
    if len(parts) == 1:
        return [(0, text)]
    return [(int(parts[i]), parts[i + 1]) for i in range(1, len(parts), 2)]


def a_entities(p):
    out = {}
    for i, t in episodes_in(section(p, 'text')):
        for n in entities_of(t):
            out.setdefault(norm(n), (n, []))[1].append(i)
    return {'extracted_entities': [dict(name=n, entity_type_id=0, episode_indices=ix) for n, ix in out.values()]}


def a_edges(p):
    ents = loads(section(p, 'entities'), [])
    allowed = {norm(e['name'] if isinstance(e, dict) else e) for e in ents}
    ref, out = section(p, 'ref'), []
    for i, t in episodes_in(section(p, 'text')):
        for f in facts_of(t, allowed):
            va, ia = times_of(f['fact'], ref)
            out.append(dict(source_entity_name=f['source'], target_entity_name=f['target'],
                            relation_type=f['relation'], fact=f['fact'], valid_at=va, invalid_at=ia,
                            episode_indices=[i]))
    return {'edges': out}


def a_combined(p):
    edges = []
    for i, t in episodes_in(section(p, 'text')):
        for f in facts_of(t):
            va, ia = times_of(f['fact'], section(p, 'ref'))
            edges.append(dict(source_entity_name=f['source'], target_entity_name=f['target'],
                              relation_type=f['relation'], fact=f['fact'], episode_indices=[i],
                              valid_at=va, invalid_at=ia))
    return {**a_entities(p), 'edges': edges}


def a_node_dedupe(p):
    new, old = loads(section(p, 'entities'), []), loads(section(p, 'existing'), [])
    idx = {norm(o['name']): o.get('candidate_id', i) for i, o in reversed(list(enumerate(old)))}
    return {'entity_resolutions': [
        dict(id=n['id'], name=n['name'], duplicate_candidate_id=idx.get(norm(n['name']), -1)) for n in new]}


def one_edge_dedupe(new, old, inval):
    dup = [o['idx'] for o in old if norm(o['fact']) == norm(new)]
    con = [o['idx'] for o in list(old) + list(inval) if contradicts(new, o['fact'])]
    return dict(duplicate_facts=dup, contradicted_facts=con)


def a_edge_dedupe(p):
    return one_edge_dedupe(section(p, 'fact'), loads(section(p, 'old_facts'), []), loads(section(p, 'inval'), []))


def a_times(p):
    va, ia = times_of(section(p, 'fact'), section(p, 'ref'))
    return dict(valid_at=va, invalid_at=ia)


def a_times_batch(p):
    out = []
    for f in loads(section(p, 'facts'), []):
        va, ia = times_of(f['fact'], f.get('reference_time', ''))
        out.append(dict(valid_at=va, invalid_at=ia))
    return {'timestamps': out}


ENTITIES = re.compile(r'<entities (\w+)>\n(.*?)\n</entities \1>', re.S)


def a_summaries(p):
    numbered = [json.loads(line) for _, lines in ENTITIES.findall(p) for line in lines.split('\n')]
    if numbered:  # Highwater's: a summary for each entity, from its statements
        return {'summaries': [dict(entity=e['entity'], summary=summary_of(
            e['name'], '\n'.join(e['statements']), e.get('summary_so_far', '')) or e['statements'][0][:600])
            for e in numbered]}
    text = section(p, 'messages')
    last = text.strip().split('\n')[-1]
    body = loads(last, last)
    return {'summaries': [dict(name=e['name'], summary=summary_of(e['name'], body, e.get('summary', '')))
                          for e in loads(section(p, 'entities'), [])]}


COMMUNITIES = re.compile(r'<communities (\w+)>\n(.*?)\n</communities \1>', re.S)


def a_portraits(p):
    shown = [json.loads(line) for _, lines in COMMUNITIES.findall(p) for line in lines.split('\n')]
    return {'portraits': [dict(community=c['community'], name=f"Around {c['members'][0]['name']}"[:60],
                               summary=' '.join(c['statements'])[:600]) for c in shown]}


def a_summary(p):
    return {'summary': ' '.join(p.split())[-400:]}


QUOTE_CHARS = 600  # as the schema has it


def quoted(fact, sentence):
    """The words of a sentence that say a fact, copied: all of it, or of a long one the piece from end to end."""
    if len(sentence) <= QUOTE_CHARS:
        return sentence.strip()
    places = names_in(sentence)
    pieces = [sentence[p:q + len(b)] for (p, a), (q, b) in zip(places, places[1:])
              if (a, b) == (fact['source'], fact['target'])]
    return next((piece for piece in pieces if len(piece) <= QUOTE_CHARS), None)


CHUNK = re.compile(r'<chunk (\d+) (\w+)>\n(.*?)\n</chunk \1 \2>', re.S)


def a_chunks(p):
    """Highwater's extraction: entities and facts of each chunk, facts by index, each with the words it stands on."""
    out = []
    for number, _, body in CHUNK.findall(p):
        head, _, text = body.partition('\n\n')
        date = re.search(r'^Date: (\S+)', head, re.M)
        ref = (date.group(1) + ('' if 'T' in date.group(1) else 'T00:00:00')) if date else ''
        named = re.search(r'^Names: (.*)$', head, re.M)  # the second of two steps: ends of facts are names
        names = json.loads(named.group(1)) if named else entities_of(text)
        index = {norm(n): n if named else i for i, n in enumerate(names)}
        facts, said_in, known = [], {}, set(index) if named else None
        for sentence in SENT.split(text):
            for f in facts_of(sentence, known):
                said_in.setdefault(norm(f['fact']), sentence)
        for f in facts_of(text, known):
            if norm(f['fact']) not in said_in:
                continue
            va, ia = times_of(f['fact'], ref)
            quote = quoted(f, said_in[norm(f['fact'])])
            if quote is None:
                continue
            facts.append(dict(subject=index[norm(f['source'])], relation=f['relation'].lower(),
                              object=index[norm(f['target'])], quote=quote, fact=f['fact'],
                              valid_at=va, invalid_at=ia))
        out.append(dict(chunk=int(number), entities=[dict(name=n, type='Thing') for n in names], facts=facts))
        ASKED.append(('chunks', body))
    return {'chunks': out}


QUESTIONS = re.compile(r'<questions (\w+)>\n(.*?)\n</questions \1>', re.S)
PLACE = re.compile(r' \(in space .*\)$')


def said(side):
    """The fact that a statement of Highwater's stands for: the one of its quote whose ends are in it."""
    text = norm(side['text'])
    facts = facts_of(side.get('quote', ''))
    return next((f['fact'] for f in facts if norm(f['source']) in text and norm(f['target']) in text), None)


def verdict(kind, one, other):
    if kind == 'names':
        a, b = (PLACE.sub('', norm(side['text'])) for side in (one, other))
        return 'same' if a == b else 'different'
    a, b = said(one), said(other)
    if not a or not b:
        return 'unrelated'
    if norm(a) == norm(b):
        return 'duplicate'
    return 'contradicts' if contradicts(a, b) or contradicts(b, a) else 'unrelated'


def a_verdicts(p):
    """Highwater's adjudication: a verdict for each pair of names or of statements."""
    out = []
    for _, lines in QUESTIONS.findall(p):
        for question in map(json.loads, lines.split('\n')):
            kind = 'names' if 'names' in question else 'statements'
            one, other = question[kind]
            out.append(dict(question=question['question'], verdict=verdict(kind, one, other)))
            ASKED.append(('questions', '\n'.join([kind, *sorted([one['text'], other['text']])])))
    return {'verdicts': out}


# what the request at hand asks about, and which prompts each was answered in, by the judge's own count
ASKED, KEYS = [], dict(prompts={}, chunks={}, questions={}, texts={})


def count(prompt, asked):
    digest = lambda text: hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    for kind, text in [('prompts', prompt), *asked]:
        KEYS[kind].setdefault(digest(text), []).append(digest(prompt))


def counted():
    """How many were answered, how many answers were not the first, and how many prompts asked what another had."""
    out = {}
    for kind, keys in KEYS.items():
        out[kind] = len(keys)
        out[f'{kind}_twice'] = sum(len(prompts) - 1 for prompts in keys.values())
        out[f'{kind}_elsewhere'] = sum(len(set(prompts)) - 1 for prompts in keys.values())
    return out

# property set of the response schema -> (kind, answer function); first subset match wins
KINDS = [
    ({'chunks'}, 'extract_chunks', a_chunks),
    ({'verdicts'}, 'verdicts', a_verdicts),
    ({'extracted_entities', 'edges'}, 'extract_nodes_and_edges', a_combined),
    ({'extracted_entities'}, 'extract_nodes', a_entities),
    ({'edges'}, 'extract_edges', a_edges),
    ({'entity_resolutions'}, 'dedupe_nodes', a_node_dedupe),
    ({'duplicate_facts', 'contradicted_facts'}, 'resolve_edge', a_edge_dedupe),
    ({'timestamps'}, 'extract_timestamps_batch', a_times_batch),
    ({'valid_at', 'invalid_at'}, 'extract_timestamps', a_times),
    ({'portraits'}, 'portraits', a_portraits),
    ({'summaries'}, 'summaries_batch', a_summaries),
    ({'summary'}, 'summary', a_summary),
    ({'description'}, 'summary_description', lambda p: {'description': 'A community of related entities.'}),
]


def blank(schema, root=None):
    """Smallest value that fits a JSON schema: for prompts this file does not know."""
    root = root or schema
    if '$ref' in schema:
        return blank(root.get('$defs', {}).get(schema['$ref'].split('/')[-1], {}), root)
    for k in ('anyOf', 'oneOf'):
        if k in schema:
            return None if any(s.get('type') == 'null' for s in schema[k]) else blank(schema[k][0], root)
    if 'enum' in schema:
        return schema['enum'][0]
    t = (schema.get('type') or 'object')
    t = (t[0] if isinstance(t, list) else t).lower()
    if t == 'object':
        props = schema.get('properties', {})
        return {k: blank(props[k], root) for k in props if k in schema.get('required', list(props))}
    return {'array': [], 'string': '', 'integer': 0, 'number': 0, 'boolean': False, 'null': None}.get(t)


def answer(schema, prompt):
    props = set((schema or {}).get('properties', {}))
    for want, kind, fn in KINDS:
        if want <= props:
            return kind, json.dumps(fn(prompt), ensure_ascii=False)
    if schema:
        return 'other', json.dumps(blank(schema))
    if 'True' in prompt and '<PASSAGE>' in prompt:
        q = set(norm(section_tag(prompt, 'QUERY')).split())
        return 'rerank', 'True' if q & set(norm(section_tag(prompt, 'PASSAGE')).split()) else 'False'
    return 'text', 'ok'


def section_tag(prompt, tag):
    m = re.search(rf'<{tag}>(.*?)</{tag}>', prompt, re.S)
    return m.group(1) if m else ''


# ---------------------------------------------------------------- embeddings
_emb = {}


def dimensions(body):
    """How many numbers are asked for, in whichever vendor's words."""
    asked = [body, body.get('parameters') or {}, *(body.get('requests') or [])]
    return next((n for a in asked for n in (a.get('dimensions'), a.get('outputDimensionality')) if n), OPT['dim'])


def embed(text, dim=None):
    """Feature hashing of words and character 3-grams, L2-normalised."""
    dim = dim or OPT['dim']
    key = (dim, text)
    v = _emb.get(key)
    if v is None:
        v = [0.0] * dim
        for w in re.findall(r'[a-z0-9]+', text.lower()):
            x = h('w' + w)
            v[x % dim] += 3.0 if x >> 63 else -3.0
            for i in range(len(w) - 2):
                x = h('g' + w[i:i + 3])
                v[x % dim] += 1.0 if x >> 63 else -1.0
        n = math.sqrt(sum(a * a for a in v)) or 1.0
        v = [a / n for a in v]
        if len(_emb) < 50000:
            _emb[key] = v
    return v


# ---------------------------------------------------------------- server
STATS, LOGF = {}, None
WINDOW = {'chat': deque(), 'embed': deque()}
ARRIVALS, REFUSED = [], []  # monotonic times of requests under a limit
SEQ = {'chat': 0, 'embed': 0}


def toks(n_chars):
    return (n_chars + 3) // 4


def note(kind, status, ptok, ctok, t0, n=1):
    s = STATS.setdefault(kind, dict(calls=0, ok=0, r429=0, fail=0, prompt_tokens=0, completion_tokens=0, items=0))
    s['calls'] += 1
    s['ok' if status == 200 else 'r429' if status == 429 else 'fail'] += 1
    if status == 200:
        s['prompt_tokens'] += ptok
        s['completion_tokens'] += ctok
        s['items'] += n
    if LOGF:
        LOGF.write(json.dumps(dict(ts=round(time.time(), 6), kind=kind, status=status, prompt_tokens=ptok,
                                   completion_tokens=ctok, items=n, ms=round((time.time() - t0) * 1e3, 3))) + '\n')
        LOGF.flush()


def limited(cls):
    """Sliding-window limit. Returns seconds to wait, or 0 and takes a place."""
    rpm = OPT['rpm'] if cls == 'chat' else OPT['embed_rpm']
    if not rpm:
        return 0
    now, w = time.monotonic(), WINDOW[cls]
    ARRIVALS.append(now)
    while w and now - w[0] >= OPT['rpm_window']:
        w.popleft()
    if len(w) >= rpm:
        REFUSED.append(ARRIVALS.pop())
        return max(0.001, OPT['rpm_window'] - (now - w[0]))
    w.append(now)
    return 0


def read_request(path, body):
    """-> (class, protocol, prompt, schema, inputs)"""
    if path.endswith('/chat/completions'):
        msgs = body.get('messages', [])
        prompt = '\n'.join(m['content'] if isinstance(m['content'], str)
                           else ''.join(c.get('text', '') for c in m['content']) for m in msgs)
        rf = body.get('response_format') or {}
        schema = (rf.get('json_schema') or {}).get('schema')
        if not schema and rf.get('type') == 'json_object':
            schema = schema_in_prompt(prompt)
        return 'chat', 'openai', prompt, schema, None
    if path.endswith('/responses'):
        inp = body.get('input', '')
        prompt = inp if isinstance(inp, str) else '\n'.join(
            m['content'] if isinstance(m.get('content'), str)
            else ''.join(c.get('text', '') for c in m.get('content', [])) for m in inp)
        return 'chat', 'responses', prompt, ((body.get('text') or {}).get('format') or {}).get('schema'), None
    if path.endswith('/embeddings'):
        inp = body.get('input', [])
        return 'embed', 'openai', '', None, [inp] if isinstance(inp, str) else list(inp)
    verb = path.rsplit(':', 1)[-1]
    parts = lambda c: ''.join(q.get('text', '') for q in c.get('parts', []))
    if verb == 'generateContent':
        sysi = body.get('systemInstruction') or body.get('system_instruction') or {}
        prompt = parts(sysi) + '\n' + '\n'.join(parts(c) for c in body.get('contents', []))
        g = body.get('generationConfig') or body.get('generation_config') or {}
        return 'chat', 'gemini', prompt, (g.get('responseJsonSchema') or g.get('responseSchema')
                                          or g.get('response_schema') or schema_in_prompt(prompt)), None
    if verb == 'embedContent':
        return 'embed', 'gemini1', '', None, [parts(body.get('content', {}))]
    if verb == 'batchEmbedContents':
        return 'embed', 'gemini', '', None, [parts(r.get('content', {})) for r in body.get('requests', [])]
    if verb == 'predict':
        return 'embed', 'vertex', '', None, [i.get('content', '') for i in body.get('instances', [])]
    return None


def schema_in_prompt(prompt):
    i = prompt.rfind('JSON object in the following format:')
    j = prompt.find('{', i) if i >= 0 else -1
    if j < 0:
        return None
    try:
        return json.JSONDecoder().raw_decode(prompt[j:])[0]
    except ValueError:
        return None


def error(proto, status, wait=0):
    if proto in ('gemini', 'gemini1', 'vertex'):
        e = dict(code=status, message='mock', status='RESOURCE_EXHAUSTED' if status == 429 else 'UNAVAILABLE')
        if status == 429:
            e['details'] = [{'@type': 'type.googleapis.com/google.rpc.RetryInfo', 'retryDelay': f'{wait:.3f}s'}]
        return {'error': e}
    return {'error': dict(message='mock', type='rate_limit_exceeded' if status == 429 else 'server_error', code=status)}


async def handle(path, body):
    """-> (status, object, headers)"""
    t0 = time.time()
    req = read_request(path, body)
    if req is None:
        return 404, {'error': {'message': 'no such path'}}, {}
    cls, proto, prompt, schema, inputs = req
    ASKED.clear()
    if cls == 'embed':
        kind, text = 'embeddings', ''
        ptok = sum(toks(len(s)) for s in inputs)
    else:
        kind, text = answer(schema, prompt)
        ptok = toks(len(prompt)) + toks(len(json.dumps(schema))) if schema else toks(len(prompt))
    ctok, asked = toks(len(text)), ASKED.copy()
    wait = limited(cls)
    if wait:
        note(kind, 429, ptok, 0, t0, len(inputs or [1]))
        ra = OPT['retry_after'] if OPT['retry_after'] is not None else math.ceil(wait)
        return 429, error(proto, 429, wait), {'Retry-After': str(ra)}
    SEQ[cls] += 1
    every = OPT['fail_every'] if cls == 'chat' else OPT['embed_fail_every']
    delay = (OPT['latency_ms'] + OPT['ms_per_out_token'] * ctok) if cls == 'chat' else OPT['embed_latency_ms']
    if delay:
        await asyncio.sleep(delay / 1e3)
    if every and SEQ[cls] % every == 0:
        note(kind, 503, ptok, 0, t0)
        return 503, error(proto, 503), {}
    if cls == 'chat' and OPT['cut_every'] and SEQ[cls] % OPT['cut_every'] == 0:
        text, asked = text[:len(text) // 2], []
    if cls == 'chat':
        count(prompt, asked)
    note(kind, 200, ptok, ctok, t0, len(inputs or [1]))
    usage = dict(prompt_tokens=ptok, completion_tokens=ctok, total_tokens=ptok + ctok)
    model = body.get('model', 'mock')
    if cls == 'embed':
        for s in inputs:
            key = hashlib.blake2b(f'{path} {model} {s}'.encode(), digest_size=8).hexdigest()
            KEYS['texts'].setdefault(key, []).append(proto)
        vs = [embed(s if isinstance(s, str) else str(s), dimensions(body)) for s in inputs]
        if proto == 'openai':
            if body.get('encoding_format') == 'base64':
                vs = [base64.b64encode(struct.pack(f'<{len(v)}f', *v)).decode() for v in vs]
            return 200, dict(object='list', model=model, usage=usage, data=[
                dict(object='embedding', index=i, embedding=v) for i, v in enumerate(vs)]), {}
        if proto == 'gemini1':
            return 200, {'embedding': {'values': vs[0]}}, {}
        if proto == 'gemini':
            return 200, {'embeddings': [{'values': v} for v in vs]}, {}
        return 200, {'predictions': [{'embeddings': {'values': v}} for v in vs]}, {}
    if proto == 'responses':
        return 200, dict(id='r', object='response', created_at=0, status='completed', model=model, output=[
            dict(type='message', id='m', role='assistant', status='completed',
                 content=[dict(type='output_text', text=text, annotations=[])])], parallel_tool_calls=False,
            tool_choice='auto', tools=[], usage=dict(input_tokens=ptok, output_tokens=ctok, total_tokens=ptok + ctok,
                                                     input_tokens_details=dict(cached_tokens=0),
                                                     output_tokens_details=dict(reasoning_tokens=0))), {}
    if proto == 'gemini':
        return 200, dict(candidates=[dict(index=0, finishReason='STOP', content=dict(
            role='model', parts=[dict(text=text)]))], modelVersion='mock', usageMetadata=dict(
                promptTokenCount=ptok, candidatesTokenCount=ctok, totalTokenCount=ptok + ctok)), {}
    choice = dict(index=0, finish_reason='stop', message=dict(role='assistant', content=text))
    if body.get('logprobs'):
        choice['logprobs'] = dict(content=[dict(token=text, logprob=-0.1, bytes=None, top_logprobs=[
            dict(token=text, logprob=-0.1, bytes=None)])])
    return 200, dict(id='c', object='chat.completion', created=0, model=model, choices=[choice], usage=usage), {}


async def control(method, path, body):
    global STATS, LOGF
    if path == '/mock/stats':
        return 200, dict(kinds=STATS, options=OPT, seq=SEQ, **counted()), {}
    if path == '/mock/arrivals':
        return 200, dict(arrived=ARRIVALS, refused=REFUSED), {}
    if path == '/mock/reset':
        STATS = {}
        KEYS.update(prompts={}, chunks={}, questions={}, texts={})
        ARRIVALS.clear()
        REFUSED.clear()
        for w in WINDOW.values():
            w.clear()
        SEQ.update(chat=0, embed=0)
        return 200, {}, {}
    if path == '/mock/config':
        bad = [k for k in body if k not in OPT]
        if bad:
            return 400, {'error': f'no such option: {bad}'}, {}
        OPT.update(body)
        if 'log' in body:
            LOGF = open(body['log'], 'a') if body['log'] else None
        return 200, OPT, {}
    if path == '/mock/oracle':
        t = body.get('text', '')
        return 200, dict(entities=entities_of(t), facts=facts_of(t)), {}
    return (200, {'ok': True}, {}) if path == '/mock/health' else (404, {'error': 'no such path'}, {})


async def serve_conn(reader, writer):
    try:
        while True:
            line = await reader.readline()
            if not line:
                break
            method, path, _ = line.decode().split(' ', 2)
            length, close = 0, False
            while True:
                hl = await reader.readline()
                if hl in (b'\r\n', b'\n', b''):
                    break
                k, _, v = hl.decode().partition(':')
                k = k.lower().strip()
                if k == 'content-length':
                    length = int(v)
                elif k == 'connection' and v.strip().lower() == 'close':
                    close = True
                elif k == 'expect':
                    writer.write(b'HTTP/1.1 100 Continue\r\n\r\n')
            raw = await reader.readexactly(length) if length else b''
            path = path.split('?')[0]
            try:
                body = json.loads(raw) if raw else {}
                fn = control(method, path, body) if path.startswith('/mock/') else handle(path, body)
                status, obj, extra = await fn
            except Exception as e:  # a bug here must be seen by the client, not hang it
                status, obj, extra = 500, {'error': {'message': f'{type(e).__name__}: {e}'}}, {}
                print('mock error', path, repr(e), file=sys.stderr)
            out = json.dumps(obj, ensure_ascii=False).encode()
            head = f'HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(out)}\r\n'
            head += ''.join(f'{k}: {v}\r\n' for k, v in extra.items())
            writer.write(head.encode() + b'\r\n' + out)
            await writer.drain()
            if close:
                break
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ValueError):
        pass
    finally:
        writer.close()


async def main():
    global LOGF
    ap = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    ap.add_argument('--port', type=int, default=18080)
    ap.add_argument('--host', default='127.0.0.1')
    for k, v in OPT.items():
        ap.add_argument('--' + k.replace('_', '-'), default=v, type=float if v is None else type(v))
    a = vars(ap.parse_args())
    OPT.update({k: a[k] for k in OPT})
    if OPT['log']:
        LOGF = open(OPT['log'], 'a')
    srv = await asyncio.start_server(serve_conn, a['host'], a['port'], limit=1 << 24, backlog=512)
    stop = asyncio.Event()
    for s in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(s, stop.set)
    port = srv.sockets[0].getsockname()[1]  # a free one, where port 0 was asked for
    print(f"mock_llm on http://{a['host']}:{port}/v1", flush=True)
    async with srv:
        await stop.wait()


if __name__ == '__main__':
    asyncio.run(main())
