#!/usr/bin/env python3
"""Nodes that are nothing but feed clients: each reports every port that is bound to it as wired.

A process of its own, at low priority, so that it takes little from what is measured: `scale.py` starts it, writes one
JSON line {"endpoint", "nodes": {name: token}} to it and reads one line when all are subscribed.  It ends with its
input.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping

import uvloop

from netweft.agent.sync import Changes, FeedClient, Link
from netweft.model import NodeFacts, PortState, PortStatus
from netweft.settings import AgentSettings


class Peer:
    """number: of its tunnel end point."""

    def __init__(self, endpoint: str, name: str, token: str, number: int) -> None:
        self.up = asyncio.Event()
        settings = AgentSettings(node=name, token=token, server=(endpoint,))
        facts = NodeFacts(tunnel_ip=f"198.18.0.{number}", tunnel_types=("vxlan",))
        self.feed = FeedClient(settings, self, facts=facts)

    def view_changed(self, changes: Changes) -> None:
        """The simplest agent there is: all that is new is up."""
        news = [PortStatus(id, PortState.UP) for kind, id in changes.upserts if kind == "port"]
        if changes.subscribed:
            self.feed.report([PortStatus(id, PortState.UP) for id in changes.view.ports], complete=True)
            self.up.set()
        elif news:
            self.feed.report(news)

    def ports_denied(self, reasons: Mapping[str, str]) -> None: ...

    def link_changed(self, link: Link) -> None: ...


async def play() -> None:
    wanted = json.loads(sys.stdin.readline())
    peers = [
        Peer(wanted["endpoint"], name, token, number)
        for number, (name, token) in enumerate(wanted["nodes"].items(), start=100)
    ]
    running = [asyncio.create_task(peer.feed.run()) for peer in peers]
    for peer in peers:
        await peer.up.wait()
    print("subscribed", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in running:
        task.cancel()


if __name__ == "__main__":
    os.nice(15)
    uvloop.run(play())
