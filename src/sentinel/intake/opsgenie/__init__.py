"""Opsgenie's Alert API and Heartbeat API, as its clients speak them."""
