"""Questions asked of graphiti-core, and how many of the passages that support them are found.

What it returns is not passages alone: a result is mapped to the passages it came from, in the order of the results.
"""
import time

AT = (2, 5, 10)
# A question is asked for what it finds, and again for how long it takes.
ROUNDS = 2


class Passages:
    """Which passages the things of a graph came from, by their ids in the graph."""

    def __init__(self, episodes, mentions):
        self.of_episode = episodes
        self.of_node = mentions

    @classmethod
    async def read(cls, g):
        rows = lambda query: g.driver.execute_query(query)
        episodes = {row['uuid']: int(row['name']) for row in (
            await rows('MATCH (e:Episodic) RETURN e.uuid AS uuid, e.name AS name'))[0]}
        mentions = {}
        for row in (await rows('MATCH (e:Episodic)-[:MENTIONS]->(n:Entity) RETURN n.uuid AS node, e.uuid AS uuid'))[0]:
            mentions.setdefault(row['node'], []).append(episodes[row['uuid']])
        return cls(episodes, {node: sorted(passages) for node, passages in mentions.items()})

    def rankings(self, found):
        """Passages in the order of each sort of result, best first."""
        by_facts = [self.of_episode[uuid] for edge in found.edges for uuid in edge.episodes if uuid in self.of_episode]
        by_names = [passage for node in found.nodes for passage in self.of_node.get(node.uuid, [])]
        ranked = {'texts': [self.of_episode[episode.uuid] for episode in found.episodes], 'facts': by_facts,
                  'names': by_names}
        ranked = {sort: list(dict.fromkeys(passages)) for sort, passages in ranked.items()}
        both = [ranked['texts'], ranked['facts']]
        return {**ranked, 'texts and facts, fused': fused(both), 'all three, fused': fused([*both, ranked['names']])}


def fused(rankings):
    """Reciprocal ranks added up, with graphiti-core's own function and its constant."""
    from graphiti_core.search.search_utils import rrf
    return rrf(rankings)[0]


def recall(questions, ranked):
    """The mean share of a question's passages among the first k, for each k."""
    shares = lambda k: [len(set(q['supporting']) & set(found[:k])) / len(q['supporting'])
                        for q, found in zip(questions, ranked)]
    return [sum(shares(k)) / len(questions) for k in AT]


def quantiles(took):
    """Milliseconds at the median and where 95 of 100 are faster, counted as `benches/retrieval/main.rs` counts."""
    took = sorted(took)
    return [took[(len(took) - 1) * share // 100] * 1e3 for share in (50, 95)]


def recipes():
    """What is asked with: those recipes of graphiti-core that need no judgement of a model."""
    from graphiti_core.search import search_config_recipes as recipe
    from graphiti_core.search.search_config import EdgeReranker, EpisodeReranker, NodeReranker
    walking = recipe.COMBINED_HYBRID_SEARCH_CROSS_ENCODER.model_copy(deep=True, update=dict(community_config=None))
    walking.edge_config.reranker, walking.node_config.reranker = EdgeReranker.rrf, NodeReranker.rrf
    walking.episode_config.reranker = EpisodeReranker.rrf
    found = {}
    for limit in (10, 100):
        sized = lambda config: config.model_copy(deep=True, update=dict(limit=limit))
        found[f'COMBINED_HYBRID_SEARCH_RRF, limit {limit}'] = sized(recipe.COMBINED_HYBRID_SEARCH_RRF)
        found[f'COMBINED_HYBRID_SEARCH_MMR, limit {limit}'] = sized(recipe.COMBINED_HYBRID_SEARCH_MMR)
    # The methods of the recipe that walks the graph, ordered by rank, since there is no model to order them.
    found['COMBINED_HYBRID_SEARCH_CROSS_ENCODER, but by RRF, limit 10'] = walking
    return found


async def ask(g, passages, questions, config):
    """What a recipe finds, and how long each question takes: the second round, when everything is warm."""
    group, ranked = [g.driver._database], {}
    for question in questions:
        found = await g.search_(question['question'], config, group_ids=group)
        for sort, one in passages.rankings(found).items():
            ranked.setdefault(sort, []).append(one)
    took = []
    for question in questions:
        start = time.perf_counter()
        await g.search_(question['question'], config, group_ids=group)
        took.append(time.perf_counter() - start)
    return {sort: recall(questions, ones) for sort, ones in ranked.items()}, quantiles(took)
