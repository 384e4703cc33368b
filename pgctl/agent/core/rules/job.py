"""A long deed is under way: let it go on, unless the lease it needs is gone."""

from pgctl.agent.core import cluster_facts, deeds, facts, give_way, without_store
from pgctl.agent.core.table import rule

JOB = (
    rule(
        "job.05",
        "every member agrees that I lead on without the store: the deed goes on",
        [facts.members_agree],
        without_store.lead_on_and_wait,
    ),
    rule(
        "job.10",
        "the lease is lost before the promotion's point of no return: call it off",
        [facts.promoting_revocably, facts.lease_lost],
        deeds.cancel,
    ),
    rule(
        "job.20",
        "the lease is lost while a primary starts: call it off",
        [facts.starting_as_primary, facts.lease_lost],
        deeds.cancel,
    ),
    rule(
        "job.22",
        "somebody else made this cluster while I was making it: call it off",
        [facts.bootstraps, cluster_facts.recorded],
        deeds.cancel_bootstrap,
    ),
    rule(
        "job.25",
        "the primary has been starting for too long, and somebody can take over: call it off",
        [facts.recovering_too_long, cluster_facts.somebody_can_take_over],
        give_way.cancel_to_yield,
    ),
    rule(
        "job.30",
        "a forced reinitialize was ordered: cut the deed short",
        [facts.reinit_forced, facts.interruptible],
        deeds.cancel_for_reinit,
    ),
    rule("job.90", "the deed goes on", [], deeds.go_on),
)
