"""Coordination stores. A store keeps documents under seven verbs; it has no opinion on servers."""
