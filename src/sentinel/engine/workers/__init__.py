"""Probing in processes of its own: each worker has a scheduler and a prober, and hands its results to the daemon.

The daemon's process keeps all that decides: the judge, the desk, the live picture and what is stored.
"""
