"""The programs that a user starts, as processes with contexts on disk: two countries and a union under faults by seed.

`make faults` runs the long form, `make soak` an hour of traffic, `make faults-short` one seed with a few faults.
"""
