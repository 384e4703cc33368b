"""Facts that only one table needs."""

from pgctl.agent.core.view import View


def paused_as_last_known(view: View) -> bool:
    return view.memory.settings.pause
