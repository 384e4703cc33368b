"""One request to a store that several servers serve: tried until its budget is spent, and what its failure means.

Law: what may have been carried out and is not harmless twice goes out once. So after `NotSent` every request is tried
again, after `NoReply` only a repeatable one; any other error is the caller's and comes out at once.
"""

from collections.abc import Callable
from typing import TypeVar

from pgctl.clock import Clock
from pgctl.dcs import retry
from pgctl.endpoints import Endpoints
from pgctl.errors import OutcomeUnknown, StoreUnreachable
from pgctl.net import NoReply, NotSent
from pgctl.units import Seconds

T = TypeVar("T")


def persist(call: Callable[[str, Seconds], T], endpoints: Endpoints, *, store: str, budget: Seconds, clock: Clock,
            repeatable: bool) -> T:
    """What `call(url, timeout)` returns for the first server that answers; `store` is its name in messages.

    Raises StoreUnreachable; OutcomeUnknown if not `repeatable`.
    """
    failure: Exception = StoreUnreachable(f"no time to ask {store}")
    for left in retry.attempts(budget, clock):
        try:
            return endpoints.ask(call, budget=left, clock=clock, repeatable=repeatable)
        except NotSent as error:
            failure = error
        except NoReply as error:
            if not repeatable:
                raise OutcomeUnknown(f"{store} gave no answer to a write", detail=str(error)) from error
            failure = error
    raise StoreUnreachable(f"could not reach {store}", detail=str(failure)) from failure
