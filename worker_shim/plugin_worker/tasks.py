"""Background tasks of this worker: what `shared_task(...).delay()` starts.

A few threads run them one after another; none of them is waited for when the worker ends. Each is
reported to the supervisor when it is queued, begins and ends.
"""

import heapq
import itertools
import logging
import threading
import time
import uuid

from . import _native, host
from .calls import failure_of
from .json_values import NotJson, to_json
from .log_capture import current_job

MAX_THREADS = 4
MAX_WAITING = 1000
# Ended ones that their id still finds.
MAX_REMEMBERED = 1000
_MAX_RESULT_BYTES = 256 << 10

_log = logging.getLogger("plugin_worker.tasks")


class TooManyTasks(RuntimeError):
    """As many tasks as a worker may have are waiting already."""


class Task:
    """One task: what is to be run, and how it went."""

    def __init__(self, name, function, args, kwargs, task_id=None):
        self.id = str(task_id) if task_id else str(uuid.uuid4())
        self.name = name
        self.state = "PENDING"
        self.result = None  # Or the exception.
        self.parent = current_job.get()
        self._call = (function, args, kwargs)
        self._ended = threading.Event()

    def wait(self, timeout=None):
        """Whether it has ended within `timeout` seconds (None: however long it takes)."""
        return self._ended.wait(timeout)

    @property
    def has_ended(self):
        """Whether it has ended, well or not."""
        return self._ended.is_set()

    def report(self, state, result=None, failure=None):
        """Tells the supervisor."""
        host.link().report_task(self.id, self.name, state, result, failure, self.parent)

    def run(self):
        """On a thread of the pool. Raises nothing."""
        function, args, kwargs = self._call
        outer_job = current_job.set(self.id)  # What is logged meanwhile is the task's.
        self._call = None  # What it holds is let go of with its end.
        self.state = "STARTED"
        self.report(_native.STATE_RUNNING)
        try:
            self.result = function(*args, **kwargs)
        except BaseException as error:
            self.result = error
            self.state = "FAILURE"
            _log.error("task %s failed", self.name, exc_info=True)
            self.report(
                _native.STATE_FAILED,
                failure=failure_of(error, _native.REASON_PLUGIN_RAISED, "task", skip_frames=1),
            )
        else:
            self.state = "SUCCESS"
            self.report(_native.STATE_SUCCEEDED, _told_result(self.result))
        finally:
            current_job.reset(outer_job)
        self._ended.set()


def _told_result(value):
    """The JSON of a result, if it is any and not too large: what else it is stays here."""
    try:
        text = to_json(value, "result")
    except (NotJson, RecursionError):
        return None
    return text if len(text) <= _MAX_RESULT_BYTES else None


class TaskPool:
    """Threads that run tasks when they are due. One per worker."""

    def __init__(self):
        self._changed = threading.Condition()
        self._waiting = []  # A heap of (due, number, task).
        self._numbers = itertools.count()
        self._idle = 0
        self._threads = 0
        self._known = {}

    def start(self, task, delay=0.0):
        """Queues it. Raises TooManyTasks, and HostCallFailed in a forked child."""
        with self._changed:
            if len(self._waiting) >= MAX_WAITING:
                raise TooManyTasks(f"{MAX_WAITING} tasks of this plugin are waiting already")
            if not host.link().report_task(
                task.id, task.name, _native.STATE_QUEUED, None, None, task.parent
            ):
                raise host.HostCallFailed(
                    "not_supported", "a forked child has no tasks: start them in its parent"
                )
            self._remember(task)
            heapq.heappush(self._waiting, (time.monotonic() + delay, next(self._numbers), task))
            if self._idle == 0 and self._threads < MAX_THREADS:
                self._threads += 1
                threading.Thread(target=self._serve, name="plugin-task", daemon=True).start()
            self._changed.notify()

    def find(self, task_id):
        """The task of that id, or None when it is not known (any more)."""
        with self._changed:
            return self._known.get(task_id)

    def _remember(self, task):
        if len(self._known) >= MAX_REMEMBERED + MAX_WAITING + MAX_THREADS:
            for known in [t for t in self._known.values() if t.has_ended][: MAX_REMEMBERED // 2]:
                del self._known[known.id]
        self._known[task.id] = task

    def _serve(self):
        while True:
            self._take().run()

    def _take(self):
        with self._changed:
            self._idle += 1
            try:
                while True:
                    if self._waiting:
                        due = self._waiting[0][0] - time.monotonic()
                        if due <= 0:
                            return heapq.heappop(self._waiting)[2]
                    else:
                        due = None
                    self._changed.wait(due)
            finally:
                self._idle -= 1


pool = TaskPool()
