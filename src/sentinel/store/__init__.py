"""The store: what must not be lost, and what probes saw. Everybody else knows only ``base``."""

from sentinel.store.failures import AlreadyRunning, StoreUnfit
from sentinel.store.locks import Lock, lock
from sentinel.store.opening import database_path, open_store, open_to_read

__all__ = ["AlreadyRunning", "Lock", "StoreUnfit", "database_path", "lock", "open_store", "open_to_read"]
