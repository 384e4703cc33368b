"""Makes the plan of a new demo, or brings an old one up to date with this host. The files are another room's."""

import os
import secrets
from dataclasses import replace

from pgctl.cli.demo import files, host, process
from pgctl.cli.demo.plan import Node, Plan
from pgctl.cli.demo.store import KINDS, StoreServer

MOST = 7


def new_plan(directory: str, nodes: int, dcs: str, path: str | None) -> Plan:
    """A plan with free ports and fresh passwords. Programs are looked for in `path`; None: in this process's.

    Raises ServerError when a program is missing or the disk is full.
    """
    release = host.os_release()
    binaries = host.find_postgres(host.directories(path), release)
    program, wanted = KINDS.get(dcs, ("", 0))
    found = host.find_store(program, path, release) if program else ""
    host.check_space(directory, nodes, host.free_space)
    ports = host.free_ports(2 * nodes + wanted)
    members = tuple(Node(f"pg{number + 1}", ports[2 * number], ports[2 * number + 1]) for number in range(nodes))
    passwords = {role: secrets.token_urlsafe(12) for role in ("superuser", "replication", "rewind", "restapi")}
    store = StoreServer(dcs, found, ports[2 * nodes:]) if found else None
    return Plan(os.path.abspath(directory), binaries.directory, members, store, passwords=passwords)


def refresh(plan: Plan) -> Plan:
    """The plan of a demo that is stopped, with other ports where somebody else has taken the old ones meanwhile.

    A member whose processes still run keeps its ports: they are its own.
    """
    recorded = files.read_processes(plan)

    def port(number: int, mine: bool) -> int:
        return number if mine or host.port_free(number) else host.free_ports(1)[0]

    nodes = []
    for node in plan.nodes:
        agent = node.name in recorded and process.alive(recorded[node.name])
        server = process.postmaster(plan.data_dir(node)) is not None
        nodes.append(Node(node.name, port(node.port, agent or server), port(node.rest_port, agent)))
    store = plan.server
    if store is not None:
        mine = store.name in recorded and process.alive(recorded[store.name])
        store = replace(store, ports=tuple(port(each, mine) for each in store.ports))
    return replace(plan, nodes=tuple(nodes), server=store)
