"""Highwater's real binary over the same passages, a page each: its recall, its seconds, its time for a question."""
import html
import json
import os
import pathlib
import subprocess
import tempfile
import time

import asked
import peer

# The protocol that an assistant speaks with `highwater mcp`.
PROTOCOL = '2025-06-18'


def write(wiki, passages):
    wiki.mkdir()
    page = lambda p: dict(id=str(p['id']), space='WIKI', title=p['title'], parentId=None,
                          body_storage=f"<p>{html.escape(p['text'], quote=False)}</p>")
    (wiki / 'WIKI.jsonl').write_text(''.join(json.dumps(page(p)) + '\n' for p in passages), encoding='utf-8')


class Assistant:
    """A client of `highwater mcp`: one process, asked one question after the other."""

    def __init__(self, binary, folder):
        self.process = subprocess.Popen([binary, 'mcp', '--quiet'], cwd=folder, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.number = 0
        self.call('initialize', dict(protocolVersion=PROTOCOL, capabilities={},
                                     clientInfo=dict(name='bench', version='1')))
        self.send(dict(jsonrpc='2.0', method='notifications/initialized'))

    def send(self, message):
        self.process.stdin.write(json.dumps(message) + '\n')
        self.process.stdin.flush()

    def call(self, method, params):
        self.number += 1
        self.send(dict(jsonrpc='2.0', id=self.number, method=method, params=params))
        for line in self.process.stdout:
            answer = json.loads(line)
            if answer.get('id') == self.number:
                if 'error' in answer:
                    raise SystemExit(f"`{method}`: {answer['error']}")
                return answer['result']
        raise SystemExit(f'`highwater mcp` ended before it answered `{method}`')

    def search(self, query, **more):
        return self.call('tools/call', dict(name='search', arguments=dict(query=query, **more)))

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


def pages(results):
    """The pages of the passages found, best first."""
    hits = results['structuredContent']['results']
    return list(dict.fromkeys(int(hit['passage']['page']) for hit in hits if 'passage' in hit))


def run(binary, passages, recording, questions):
    """Recall over the same passages, seconds and processor seconds of the pipeline, and the time of a question."""
    with tempfile.TemporaryDirectory(prefix='highwater-') as folder:
        write(pathlib.Path(folder) / 'wiki', passages)
        env = dict(os.environ, HIGHWATER_MODEL='recorded/gpt-3.5-turbo-1106', HIGHWATER_MODEL_RECORDING=str(recording))
        wall = time.perf_counter()
        child = subprocess.Popen([binary, 'pipeline', 'wiki', '--quiet', '--json'], cwd=folder, env=env,
                                 stdout=subprocess.PIPE)
        said = child.stdout.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        took = dict(wall=time.perf_counter() - wall, cpu=used.ru_utime + used.ru_stime)
        if child.returncode:
            raise SystemExit(f'highwater ended with {child.returncode}')
        assistant = Assistant(binary, folder)
        try:
            ranked = [pages(assistant.search(q['question'], only=['passages'], limit=100)) for q in questions]
            times, spent = [], peer.cpu(assistant.process.pid)
            for q in questions:
                start = time.perf_counter()
                assistant.search(q['question'])
                times.append(time.perf_counter() - start)
            spent = (peer.cpu(assistant.process.pid) - spent) / len(questions) * 1e3
        finally:
            assistant.close()
    return dict(took, said=json.loads(said),
                recall=asked.recall(questions, ranked), search=[*asked.quantiles(times), spent])
