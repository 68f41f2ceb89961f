"""A small OpenFlow controller on os-ken that follows Netweft's feed: VLANs are on a switch where their ports are.

    NETWEFT_URL=http://192.0.2.10:9696 NETWEFT_TOKEN=... HOSTS=hv1:1,hv2:2 osken-manager controller.py

HOSTS: which OpenFlow port of the switch each host is at.  A VLAN's frames pass between the hosts that have ports bound
on it, and no others.  It keeps nothing on the disk: when it starts it is told everything, and when the switch comes,
all that is not wanted there goes.
"""

import json
import os
import urllib.request

from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, DEAD_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib import hub
from os_ken.ofproto import ofproto_v1_3

FEED = f"{os.environ['NETWEFT_URL']}/v2.0/netweft/feed?kinds=networks,ports"
HOSTS = dict(entry.split(":") for entry in os.environ["HOSTS"].split(","))
COOKIE = 0x6E6574776566
SILENCE_SECONDS = 60  # the feed says something each 20 s


class Follower(app_manager.OSKenApp):
    OFP_VERSIONS = (ofproto_v1_3.OFP_VERSION,)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.objects = {"networks": {}, "ports": {}}
        self.place = ""
        self.marked = None  # after `whole`: what was named since
        self.switch = None
        self.there = set()  # flows on the switch: (port, vlan, the other ports)

    def start(self):
        super().start()
        self.threads.append(hub.spawn(self.follow))

    # -- the feed

    def follow(self):
        while True:
            try:
                asked = urllib.request.Request(f"{FEED}&place={self.place}")
                asked.add_header("X-Auth-Token", os.environ["NETWEFT_TOKEN"])
                self.marked = None
                with urllib.request.urlopen(asked, timeout=SILENCE_SECONDS) as answer:
                    for line in answer:
                        self.take(json.loads(line))
            except (OSError, ValueError) as error:
                self.logger.warning("the feed: %s", error)
            hub.sleep(1)

    def take(self, event):
        known = self.objects.get(event.get("kind"), {})
        if event["event"] == "whole":
            self.marked = {kind: set() for kind in event["kinds"]}
        elif event["event"] == "changed":
            known.update({one["id"]: one for one in event["objects"]})
            self.mark(event["kind"], [one["id"] for one in event["objects"]])
        elif event["event"] == "unchanged":
            self.mark(event["kind"], event["ids"])
        elif event["event"] == "gone":
            for id in event["ids"]:
                known.pop(id, None)
        elif event["event"] == "place":
            for kind, ids in (self.marked or {}).items():
                self.objects[kind] = {id: one for id, one in self.objects[kind].items() if id in ids}
            self.marked, self.place = None, event["place"]
            self.make_it_so()

    def mark(self, kind, ids):
        if self.marked is not None:
            self.marked[kind].update(ids)

    # -- the switch

    def wanted(self):
        members = {}
        for port in self.objects["ports"].values():
            network = self.objects["networks"].get(port["network_id"], {})
            if network.get("provider:network_type") == "vlan" and port.get("binding:host_id") in HOSTS:
                at = int(HOSTS[port["binding:host_id"]])
                members.setdefault(network["provider:segmentation_id"], set()).add(at)
        return {(one, vlan, tuple(sorted(at - {one}))) for vlan, at in members.items() for one in at}

    def make_it_so(self):
        if self.switch is None or not self.place:
            return
        wanted, protocol = self.wanted(), self.switch.ofproto
        gone = {flow[:2] for flow in self.there} - {flow[:2] for flow in wanted}
        for port, vlan in gone:
            self.send(protocol.OFPFC_DELETE_STRICT, port, vlan, ())
        for port, vlan, others in wanted - self.there:
            self.send(protocol.OFPFC_ADD, port, vlan, others)
        self.there = wanted

    def send(self, command, port, vlan, others):
        protocol, parser = self.switch.ofproto, self.switch.ofproto_parser
        actions = [parser.OFPActionOutput(other) for other in others]
        self.switch.send_msg(
            parser.OFPFlowMod(
                datapath=self.switch,
                command=command,
                cookie=COOKIE,
                priority=100,
                out_port=protocol.OFPP_ANY,
                out_group=protocol.OFPG_ANY,
                match=parser.OFPMatch(in_port=port, vlan_vid=vlan | protocol.OFPVID_PRESENT),
                instructions=[parser.OFPInstructionActions(protocol.OFPIT_APPLY_ACTIONS, actions)],
            )
        )

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def it_is_there(self, event):
        self.switch, self.there = event.msg.datapath, set()
        protocol, parser = self.switch.ofproto, self.switch.ofproto_parser
        every = {"out_port": protocol.OFPP_ANY, "out_group": protocol.OFPG_ANY, "table_id": protocol.OFPTT_ALL}
        ours = {"cookie": COOKIE, "cookie_mask": 2**64 - 1, "command": protocol.OFPFC_DELETE}
        self.switch.send_msg(parser.OFPFlowMod(datapath=self.switch, match=parser.OFPMatch(), **ours, **every))
        self.make_it_so()

    @set_ev_cls(ofp_event.EventOFPStateChange, [MAIN_DISPATCHER, DEAD_DISPATCHER])
    def it_is_gone(self, event):
        if event.state == DEAD_DISPATCHER and event.datapath is self.switch:
            self.switch = None
