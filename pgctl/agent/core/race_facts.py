"""Named yes-or-no questions about the lead in synchronous mode: whose `/sync` is, is it borne, who votes. See `facts`."""

from pgctl.agent.core import cluster_facts, ranking, sync_claim
from pgctl.agent.core.view import View


def synchronous(view: View) -> bool:
    return view.settings.synchronous


def cluster_moved_on(view: View) -> bool:
    """Somebody was promoted meanwhile: the history has a later timeline than mine, or `/sync` names another leader."""
    return cluster_facts.behind_history(view) or sync_foreign(view)


def sync_foreign(view: View) -> bool:
    """`/sync` names another; an operator's failover may override that, nothing else."""
    return sync_claim.foreign(view) and not _forced(view)


def held_back(view: View) -> bool:
    """Somebody is fitter than me; or too few of those that `/sync` lists have answered, all of whose log I have."""
    return bool(ranking.ahead(view)) or (ranking.voting(view) and not ranking.elected(view))


def _forced(view: View) -> bool:
    """A failover by name, which accepts the loss of what its candidate lacks."""
    intent = view.cluster.intent if view.cluster else None
    return intent is not None and not intent.switchover and cluster_facts.intent_names_me(view)
