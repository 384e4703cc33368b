"""The demo's plan: documents that agree with each other, and a record that survives."""

import json

import pytest
import yaml

from pgctl.cli.demo import plan as plans
from pgctl.cli.demo.plan import Node, Plan
from pgctl.cli.demo.store import StoreServer
from pgctl.errors import ConfigError

PASSWORDS = {"superuser": "s3", "replication": "r3", "rewind": "w3", "restapi": "a3"}
NODES = (Node("pg1", 5001, 8001), Node("pg2", 5002, 8002))
PLAN = Plan("/d", "/opt/postgresql/bin", NODES, passwords=PASSWORDS)


def test_a_plan_survives_its_record() -> None:
    for plan in (PLAN, Plan("/d", "/bin", PLAN.nodes, StoreServer("etcd3", "/usr/bin/etcd", (1, 2)), passwords=PASSWORDS)):
        assert plans.from_document(json.loads(json.dumps(plans.to_document(plan))), "/d") == plan


@pytest.mark.parametrize("document", [
    None, [], {}, {"nodes": 3}, plans.to_document(PLAN) | {"nodes": [{"name": "x"}]},
])
def test_a_record_of_something_else_is_refused(document: object) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        plans.from_document(document, "/d")


def test_a_record_that_was_moved_has_its_new_place() -> None:
    moved = plans.from_document(plans.to_document(PLAN), "/elsewhere")
    assert moved.data_dir(moved.nodes[0]) == "/elsewhere/pg1/data"


def test_every_member_has_its_own_places_and_the_same_cluster() -> None:
    first, second = (plans.agent_document(PLAN, node) for node in PLAN.nodes)
    assert first["sqlite"] == second["sqlite"] == {"path": "/d/dcs/store.sqlite"}
    assert first["scope"] == second["scope"]
    own = (("postgresql", "data_dir"), ("postgresql", "listen"), ("restapi", "listen"), ("pgctl", "run_dir"))
    for section, key in own:
        assert first[section][key] != second[section][key]  # type: ignore[index]


def test_everything_listens_on_the_loopback_only() -> None:
    text = yaml.safe_dump(plans.agent_document(PLAN, PLAN.nodes[0]))
    assert "0.0.0.0" not in text and "'*'" not in text and "trust" not in text
    assert "127.0.0.1:5001" in text


def test_the_timing_keeps_the_law_of_the_lease() -> None:
    margin = max(1.0, plans.TTL / 6)
    assert plans.LOOP_WAIT + 2 * plans.RETRY_TIMEOUT + margin <= plans.TTL


def test_settings_of_a_test_win_over_the_demos_own() -> None:
    quick = Plan("/d", "/bin", PLAN.nodes, passwords=PASSWORDS, dcs_settings={"ttl": 5})
    assert plans.settings(quick)["ttl"] == 5
    assert plans.settings(quick)["loop_wait"] == plans.LOOP_WAIT


def test_no_password_shows_when_a_plan_is_printed() -> None:
    assert "s3" not in repr(PLAN)


def test_the_command_line_gets_the_same_store() -> None:
    assert plans.ctl_document(PLAN)["sqlite"] == plans.agent_document(PLAN, PLAN.nodes[0])["sqlite"]
