"""POST /v1/jobs: many pictures in one order, looked at while nobody waits. Kept by one process, in files without a
name: nothing of it is left when that process ends, however it ends.
"""
