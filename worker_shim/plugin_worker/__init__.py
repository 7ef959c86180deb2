"""What runs inside a worker: loads one plugin and answers the supervisor's calls.

Only the standard library is used, and nothing of it is in the way of the
plugin: the link itself is in the native module _native.
"""
