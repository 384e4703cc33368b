"""What the generated pages say that no table says: the introduction, and each request in a few words."""

INTRODUCTION = """
An agent looks at its server and at the store, and decides. What it may decide stands in tables, one for each *situation*,
and a view of the world is in exactly one: the first of this list that holds. In its table the first row whose facts all
hold decides, and nothing else does.

So to know why a member did something, or nothing, ask `pgctl explain NAME`: it names the rule, the facts, and for each
rule before it the fact that did not hold. The id is also in the log and in `GET /patroni`. Then look the rule up here.
`pgctl-agent rules` prints the same tables; `docs/differences.md` says where they differ from what Patroni does, and why.
"""

PICTURE = """
Each arrow is what rules bring about when their effects work; its numbers are the rules: 20 on an arrow that leaves `race`
is `race.20`. A long deed (stop, clone, promote, ...) is on its way through [job](job.md), which is left out here. What fails
leads back to where it began, and is tried again. Dotted is what comes without a rule. From everywhere a store that cannot
be read leads to [cut](cut.md), pause to [paused](paused.md) or [resting](resting.md), another cluster's data to
[alien](alien.md); the pages show what else may happen in each situation.
"""

REQUESTS = {
    "CancelJob": "cuts the long deed short that is under way",
    "ClaimTimeline": "claims the number of the timeline that a promotion will open, so that nobody opens it twice",
    "CloseIntent": "clears the order for a switchover or failover, as fulfilled or with the reason why not",
    "DeleteInitialize": "drops a claim to make this cluster",
    "HoldLease": "takes the leader key, if it is absent and all that was decided on is unchanged",
    "MoveFence": "armed: fence and watchdog stop the server when the lease ends; open: they leave it alone",
    "Prolong": "leads on without the store, until the time that all members have promised",
    "Quit": "ends the agent, and leaves the server as it is",
    "ReclaimLease": "puts a leader key that names this member from an earlier life on its present lease",
    "ReleaseLease": "gives the leader key up",
    "StartJob": "begins a long deed, which runs beside the cycles",
    "StirStandbys": "writes a little WAL, so that commits that wait are looked at again",
    "WriteInitialize": "claims the right to make this cluster, or records which cluster it is",
    "WriteStatus": "says how far the leader's log goes, and its slots",
    "WriteSync": "says who may take over without losing a commit",
}

UPKEEP = {
    "KeepLogical": "logical slots are made and moved, beside the cycle",
    "Publish": "this member's own key",
    "RunCallback": "a script is told of the role",
    "SetSlots": "physical slots are made, moved and dropped",
    "WriteConf": "the server's configuration",
    "WriteConfig": "settings that the store lacks",
    "WriteFailsafe": "whom to ask when the store is gone",
    "WriteHistory": "past timelines",
    "WriteJournal": "the journal of events",
}
"""Asked for in any row in which something is not as it should be: told once, and not in the rows."""
