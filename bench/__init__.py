"""Measurements of what Sentinel promises: each prints a figure, its limit and under which conditions it was taken."""
