"""The core decides. It sees only the model: no clock, no socket, no log, no random number, no global."""
