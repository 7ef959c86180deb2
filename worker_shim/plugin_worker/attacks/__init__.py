"""What a hostile plugin would try, one function each, and what is to stop it.

The battery runs in a child of a live worker, so inside of its sandbox, for `pluginctl doctor
--attack`; the tests use it too. Nothing here does harm where it is not stopped: signal 0 rather
than SIGKILL, files opened rather than written, arguments that the kernel refuses after it has
looked whether the caller may. Each attempt has a deadline.

Imports nothing of the package around it, so that it can be run outside of a worker.
"""
