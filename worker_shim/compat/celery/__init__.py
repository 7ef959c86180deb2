"""`from celery import shared_task`, without a broker: tasks run in this worker, in the background.

Not here, and said so when used: an app of one's own, beat, chains and groups, retries.
"""

import functools
import time

from plugin_worker import host, tasks

__version__ = "0 (plugin supervisor)"


def shared_task(*given, **options):
    """@shared_task, or @shared_task(bind=True, name="...")."""
    if len(given) == 1 and callable(given[0]) and not options:
        return TaskFunction(given[0], {})
    if given:
        raise TypeError("shared_task() takes the function alone, or options by keyword")
    return lambda function: TaskFunction(function, options)


class TaskFunction:
    """What @shared_task makes of a function."""

    def __init__(self, function, options):
        functools.update_wrapper(self, function)
        self.run = function
        self.name = options.get("name") or f"{function.__module__}.{function.__qualname__}"
        self._bind = bool(options.get("bind"))

    def __call__(self, *args, **kwargs):
        """Runs it here and now."""
        return self._bound(_Request(None))(*args, **kwargs)

    def __get__(self, instance, owner=None):
        return self

    def _bound(self, request):
        if not self._bind:
            return self.run
        return functools.partial(self.run, _Bound(self, request))

    def delay(self, *args, **kwargs):
        """Runs it in the background. Returns an AsyncResult at once."""
        return self.apply_async(args, kwargs)

    def apply_async(self, args=None, kwargs=None, countdown=None, eta=None, task_id=None,
                    **_routing):
        """As delay(); `countdown` is seconds from now. Queues and priorities mean nothing here."""
        if _routing.get("link") or _routing.get("link_error"):
            raise host.NotSupported("celery's link and link_error")
        delay = float(countdown or 0)
        if eta is not None:
            delay = max(0.0, eta.timestamp() - time.time())
        request = _Request(task_id)
        task = tasks.Task(
            self.name, self._bound(request), tuple(args or ()), dict(kwargs or {}), task_id
        )
        request.id = task.id
        tasks.pool.start(task, delay)
        return AsyncResult(task.id)

    def apply(self, args=None, kwargs=None, **_options):
        """Runs it here and now; the AsyncResult has ended already."""
        request = _Request(None)
        task = tasks.Task(self.name, self._bound(request), tuple(args or ()), dict(kwargs or {}))
        request.id = task.id
        task.report = lambda *_args, **_kwargs: None
        task.run()
        return AsyncResult(task.id, task)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        raise host.NotSupported(f"{name} of a celery task")

    def __repr__(self):
        return f"<@task: {self.name}>"


class _Request:
    def __init__(self, task_id):
        self.id = task_id
        self.retries = 0


class _Bound:
    """`self` of a task with bind=True."""

    def __init__(self, function, request):
        self.name = function.name
        self.request = request

    def update_state(self, state=None, meta=None, **_more):
        """Taken, but nobody asks for it."""

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        raise host.NotSupported(f"{name} of a celery task")


class AsyncResult:
    """How a task fares. Known in the worker that started it, for as long as it lives."""

    def __init__(self, id, task=None):
        self.id = self.task_id = str(id)
        self._task = task or tasks.pool.find(self.id)

    @property
    def state(self):
        """PENDING (also when it is not known), STARTED, SUCCESS or FAILURE."""
        return self._task.state if self._task else "PENDING"

    status = state

    @property
    def result(self):
        """What it returned, the exception it raised, or None."""
        return self._task.result if self.ready() else None

    def ready(self):
        """Whether it has ended."""
        return self._task is not None and self._task.has_ended

    def successful(self):
        """Whether it has ended well."""
        return self.state == "SUCCESS"

    def failed(self):
        """Whether it raised."""
        return self.state == "FAILURE"

    def get(self, timeout=None, propagate=True, **_ignored):
        """What it returned; waits for it. Raises what it raised, or TimeoutError."""
        if self._task is None:
            raise LookupError(f"this worker knows no task {self.id}")
        if not self._task.wait(timeout):
            raise TimeoutError(f"task {self.id} has not ended within {timeout} s")
        if propagate and self.failed():
            raise self._task.result
        return self._task.result

    wait = get

    def __str__(self):
        return self.id

    def __repr__(self):
        return f"<AsyncResult: {self.id}>"

    def __eq__(self, other):
        return isinstance(other, AsyncResult) and other.id == self.id

    def __hash__(self):
        return hash(self.id)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        raise host.NotSupported(f"{name} of a celery result")


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise ImportError(str(host.NotSupported(f"celery.{name}")), name="celery")
