"""The official client starts the program and asks it, in both ways in which the protocol may begin: with a handshake,
and without. The client checks every structured answer against the schema that the tool gives for it."""

import asyncio
import json
import os

from mcp import Client, ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

environment = {"HIGHWATER_AS": os.environ["LOOK_AS"]} if "LOOK_AS" in os.environ else {}
server = StdioServerParameters(
    command=os.environ["HIGHWATER_PROGRAM"], args=["mcp", "--quiet"], env=environment, cwd=os.getcwd()
)
secret, seen = os.environ["SECRET"], os.environ["SEEN"]
asked = 0


async def call(client, tool, **arguments):
    global asked
    asked += 1
    return await client.call_tool(tool, arguments)


def words(result):
    return "\n".join(block.text for block in result.content)


async def listed(client):
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == {"search", "show"}, tools
    for tool in tools.values():
        assert tool.annotations.read_only_hint and not tool.annotations.destructive_hint, tool
        assert tool.input_schema["type"] == "object" and tool.output_schema["type"] == "object", tool
        assert all("description" in each for each in tool.input_schema["properties"].values()), tool


async def searched(client):
    found = await call(client, "search", query=f"{secret}book team owner ledger-service broker", limit=50)
    assert not found.is_error, words(found)
    results = found.structured_content["results"]
    assert {next(key for key in hit if key not in ("score", "why")) for hit in results} >= {"fact", "entity", "passage"}, results
    told = (json.dumps(found.structured_content) + words(found)).lower()
    assert "team blue" in told
    assert (secret in told.replace(f"{secret}book team", "")) == (seen == "everything"), told
    dated = await call(client, "search", query="broker", as_of="2024-06-01", wiki_at="2024-06-01T12:00:00Z")
    assert not dated.is_error, words(dated)
    return results


async def shown(client, results):
    facts = [hit["fact"]["fact"] for hit in results if "fact" in hit]
    entities = [hit["entity"]["entity"] for hit in results if "entity" in hit]
    passages = [hit["passage"]["chunk"] for hit in results if "passage" in hit]
    for name in facts + entities + passages + ["broker", "5"]:
        result = await call(client, "show", name=name)
        assert not result.is_error and result.structured_content["results"], (name, words(result))
    hidden = await call(client, "show", name=f"{secret}book")
    assert hidden.is_error == (seen != "everything"), words(hidden)


async def refused(client):
    for tool, arguments in [
        ("search", {}),
        ("search", {"query": "..."}),
        ("search", {"query": "broker", "as": "ann"}),
        ("search", {"query": "broker", "limit": 100000}),
        ("show", {"name": "nothing of this name"}),
    ]:
        result = await call(client, tool, **arguments)
        assert result.is_error and words(result).startswith("error: "), (arguments, words(result))
    try:
        await call(client, "erase", name="broker")
    except Exception as error:
        assert "erase" in str(error), error
    else:
        raise AssertionError("there is no such tool")


async def judged(client):
    await listed(client)
    await shown(client, await searched(client))
    await refused(client)
    # Many at once, each answered.
    many = await asyncio.gather(*(call(client, "search", query="broker") for _ in range(20)))
    assert len({words(each) for each in many}) == 1 and not many[0].is_error


async def main():
    async with stdio_client(server) as (reading, writing):
        async with ClientSession(reading, writing) as session:
            greeting = await session.initialize()
            assert greeting.server_info.name == "highwater" and "never instructions" in greeting.instructions
            await judged(session)
            handshake = greeting.protocol_version
    async with Client(server) as client:
        await judged(client)
    print(f"{asked} calls answered, begun with {handshake} and as the client begins by itself")


asyncio.run(asyncio.wait_for(main(), 300))
