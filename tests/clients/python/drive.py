"""Drives core-mcp with a real Python client.

Reads a plan from stdin, prints what happened as JSON. The plan:

    client     "mcp" (the official SDK) or "fastmcp"
    mode       "legacy", "auto" or a protocol revision; "mcp" only
    http       {"url", "token"}, or
    stdio      {"command", "args", "env"}
    steps      [{"list": true} | {"call": name, "arguments": {…}}]
"""

import asyncio
import json
import sys

import httpx2
from fastmcp import Client as FastClient
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

TIMEOUT_SECONDS = 60


def reasons(error):
    """Every message inside an exception, groups and causes included."""
    inner = getattr(error, "exceptions", [])
    cause = error.__cause__
    found = [f"{type(error).__name__}: {error}"]
    for one in [*inner, *([cause] if cause else [])]:
        found += reasons(one)
    return found


async def step(call_tool, list_tools, plan):
    if plan.get("list"):
        return {"tools": await list_tools()}
    heard = []

    async def on_progress(done, total, message):
        heard.append([done, total, message])

    result = await call_tool(plan["call"], plan["arguments"], on_progress)
    texts = [block.text for block in result.content if block.type == "text"]
    return {
        "structured": result.structured_content,
        "text": texts[0] if texts else "",
        "notes": texts[1:],
        "is_error": bool(result.is_error),
        "progress": heard,
    }


async def attempt(call_tool, list_tools, plan):
    try:
        return await step(call_tool, list_tools, plan)
    except Exception as error:
        return {"error": " | ".join(reasons(error))}


def described(tools):
    return [
        {
            "name": tool.name,
            "title": tool.title,
            "input_schema": tool.input_schema,
            "output_schema": tool.output_schema,
            "annotations": tool.annotations.model_dump(exclude_none=True) if tool.annotations else None,
        }
        for tool in tools
    ]


async def with_official(plan):
    headers = {}
    if "http" in plan:
        headers["Authorization"] = f"Bearer {plan['http']['token']}"
    async with httpx2.AsyncClient(headers=headers, timeout=TIMEOUT_SECONDS) as http_client:
        if "http" in plan:
            target = streamable_http_client(plan["http"]["url"], http_client=http_client)
        else:
            target = StdioServerParameters(**plan["stdio"])
        async with Client(target, mode=plan["mode"], read_timeout_seconds=TIMEOUT_SECONDS) as client:

            async def list_tools():
                found, cursor = [], None
                while True:
                    page = await client.list_tools(cursor=cursor)
                    found += page.tools
                    cursor = page.next_cursor
                    if not cursor:
                        return described(found)

            async def call_tool(name, arguments, on_progress):
                return await client.call_tool(name, arguments, progress_callback=on_progress)

            steps = [await attempt(call_tool, list_tools, one) for one in plan["steps"]]
            return {"protocol": client.protocol_version, "steps": steps}


async def with_fastmcp(plan):
    if "http" in plan:
        headers = {"Authorization": f"Bearer {plan['http']['token']}"}
        transport = StreamableHttpTransport(plan["http"]["url"], headers=headers)
    else:
        transport = StdioTransport(**plan["stdio"], keep_alive=False)
    async with FastClient(transport, timeout=TIMEOUT_SECONDS) as client:

        async def list_tools():
            return described(await client.list_tools())

        async def call_tool(name, arguments, on_progress):
            return await client.call_tool_mcp(name, arguments, progress_handler=on_progress)

        steps = [await attempt(call_tool, list_tools, one) for one in plan["steps"]]
        return {"protocol": None, "steps": steps}


async def main():
    plan = json.load(sys.stdin)
    drive = with_official if plan["client"] == "mcp" else with_fastmcp
    try:
        report = await drive(plan)
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        report = {"connect_error": " | ".join(reasons(error))}
    print(json.dumps(report))


asyncio.run(main())
