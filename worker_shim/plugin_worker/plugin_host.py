"""One plugin in this process: loaded once, then called for as long as the link lasts."""

import faulthandler
import importlib
import json
import os
import platform
import signal
import sys
import tempfile
import time

from . import _native, host, loader, runtime
from .call_context import ContextSource
from .calls import CallCancelled, failure, failure_of, result_bytes, takes_an_argument
from .file_refusals import set_code_directory
from .log_capture import capture_logging, current_job
from .metadata import Metadata
from .print_capture import capture_prints

_LOAD_DEADLINE_S = 30
_EXIT_NOT_ATTACHED = 3
_ATTACK_DEADLINE_S = 50


def serve_plugin(socket_path, key, generation, token):
    """Attaches, loads what the supervisor says, and serves it. Returns an exit code."""
    try:
        link = _native.Link(socket_path, key, generation, token, platform.python_version())
        load = link.wait_for_load(_LOAD_DEADLINE_S)
    except ConnectionError as error:
        print(f"plugin worker: cannot attach: {error}", file=sys.stderr, flush=True)
        return _EXIT_NOT_ATTACHED
    os.register_at_fork(after_in_child=link.forget_after_fork)
    # A signal ends the wait for calls, so that its Python handler runs.
    signal.set_wakeup_fd(link.wakeup_fd(), warn_on_full_buffer=False)
    # A crash in native code still tells where in the plugin it was.
    faulthandler.enable()
    _make_stacks_available(link)
    _make_calls_interruptible(link)
    capture_logging(link)
    capture_prints()
    set_code_directory(load["directory"])
    host.connect(link, load["key"])
    plugin = PluginHost(link, load)
    plugin.load()
    idle = runtime.idle_wait()
    if idle is not None:
        link.set_idle(idle)
    # Also when it did not load: the supervisor has the last word.
    link.serve(plugin)
    return 0


# Far from those that plugins use.
_STACKS_SIGNAL = signal.SIGRTMAX - 5
_INTERRUPT_SIGNAL = signal.SIGRTMAX - 6
_MFD_NOEXEC_SEAL = 8  # The sandbox allows no other.


def _make_stacks_available(link):
    """faulthandler writes them in C, so also while a plugin holds the interpreter."""
    file = _memory_file("stacks")
    faulthandler.register(_STACKS_SIGNAL, file=file, all_threads=True)
    link.set_stack_dump(file, _STACKS_SIGNAL)


def _memory_file(name):
    try:
        return os.memfd_create(name, os.MFD_CLOEXEC | _MFD_NOEXEC_SEAL)
    except OSError:  # Before Linux 6.3.
        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())


def _make_calls_interruptible(link):
    def interrupt(_signal, _frame):
        if link.take_main_interrupt():
            raise CallCancelled("nobody waits for this call any more")

    signal.signal(_INTERRUPT_SIGNAL, interrupt)
    link.set_interruption(CallCancelled, _INTERRUPT_SIGNAL)


class PluginHost:
    """What the link calls. No method raises for something the plugin did."""

    def __init__(self, link, load):
        self._link = link
        self._load = load
        self._key = load["key"]
        self._context = ContextSource(self._key, link)
        self._context.set_settings(load["settings_json"])
        self._instance = None
        self._told = None
        self._limit = link.max_result_bytes()

    def load(self):
        """Imports and constructs the plugin, and tells how that went."""
        begun = time.monotonic()
        try:
            plugin_class = loader.import_plugin_class(
                self._key,
                self._load["directory"],
                self._load["folder_name"],
                self._load["plugins_dir"],
            )
        except loader.NoPluginClass as error:
            self._link.load_failed(
                failure(
                    _native.REASON_NO_PLUGIN_CLASS,
                    "import",
                    f"{error}.",
                    "Define `class Plugin:` there.",
                )
            )
            return
        except BaseException as error:
            self._link.load_failed(
                failure_of(error, _native.REASON_IMPORT_FAILED, "import", skip_frames=3)
            )
            return
        imported = time.monotonic()
        try:
            self._instance = plugin_class()
        except BaseException as error:
            self._link.load_failed(
                failure_of(error, _native.REASON_CONSTRUCTOR_FAILED, "construct", skip_frames=1)
            )
            return
        constructed = time.monotonic()
        metadata = self._look_at_metadata()
        self._link.loaded(
            metadata.facts,
            metadata.warnings,
            _microseconds(imported - begun),
            _microseconds(constructed - imported),
        )

    def _look_at_metadata(self):
        metadata = Metadata(self._instance, self._load["manifest"], self._load["folder_name"])
        self._context.set_metadata(metadata)
        self._told = (metadata.facts, metadata.warnings)
        return metadata

    def change_settings(self, settings_json):
        """The stored settings were replaced."""
        self._context.set_settings(settings_json)

    def refresh(self):
        """After a change of settings: computed fields may be others now."""
        if self._instance is None:
            return
        told = self._told
        metadata = self._look_at_metadata()
        if self._told != told:
            self._link.metadata_changed(metadata.facts, metadata.warnings)

    def call(self, kind, name, params_json, call_id, job_id):
        """The result as JSON bytes, or a failure tuple."""
        if kind == _native.CALL_KIND_ATTACK:
            return self._attack(params_json)
        method_name = "run" if kind == _native.CALL_KIND_RUN else "resolve_ui_resource"
        if self._instance is None:
            return failure(_native.REASON_NOT_SUPPORTED, method_name, "The plugin is not loaded.")
        try:
            params = json.loads(params_json) if params_json not in ("", "{}") else {}
        except (ValueError, RecursionError) as error:
            return failure(
                _native.REASON_INVALID_REQUEST, method_name, f"The parameters are not JSON: {error}"
            )
        logged_as = current_job.set(job_id)
        try:
            method = getattr(self._instance, method_name, None)
            if not callable(method):
                return failure(
                    _native.REASON_NOT_SUPPORTED,
                    method_name,
                    f'Plugin "{self._key}" has no method {method_name}.',
                )
            value = method(name, params or {}, self._context.make(call_id, job_id))
        except CallCancelled as error:
            self._context.logger.warning("%s(%r) was cancelled", method_name, name)
            return failure(_native.REASON_CANCELLED, method_name, str(error))
        except BaseException as error:
            # sys.exit() in an action ends the action, not the worker.
            self._log_exception(f"{method_name}({name!r}) failed", error)
            return failure_of(error, _native.REASON_PLUGIN_RAISED, method_name, skip_frames=1)
        finally:
            current_job.reset(logged_as)
        return result_bytes(value, self._limit)

    def _attack(self, params_json):
        """Not of the plugin: what its sandbox stops, tried in a child of this process."""
        # Not before: no plugin that is left alone has use for it.
        battery = importlib.import_module("plugin_worker.attacks.battery")
        try:
            told = json.loads(params_json)
            told["init_pid"] = os.getppid()
            # An interpreter of its own was executed in the sandbox, which lets programs be, then.
            told["executes"] = "plugin_worker.spawner" not in sys.modules
            return result_bytes(battery.in_child(told, _ATTACK_DEADLINE_S), self._limit)
        except CallCancelled as error:
            return failure(_native.REASON_CANCELLED, "attack", str(error))
        except Exception as error:
            return failure_of(error, _native.REASON_INTERNAL, "attack", skip_frames=1)

    def stop(self, reason):
        """Runs the plugin's stop. (whether there was one, failure tuple or None)"""
        if self._instance is None:
            return (False, None)
        try:
            context = self._context.make()
            context["reason"] = reason
            stop = getattr(self._instance, "stop", None)
            run = getattr(self._instance, "run", None)
            if callable(stop):
                if takes_an_argument(stop):
                    stop(context)
                else:
                    stop()
            elif callable(run) and "stop" in self._context.actions:
                run("stop", {}, context)
            else:
                return (False, None)
        except BaseException as error:
            self._log_exception("stop failed", error)
            return (True, failure_of(error, _native.REASON_PLUGIN_RAISED, "stop", skip_frames=1))
        return (True, None)

    def _log_exception(self, message, error):
        self._context.logger.error(
            message, exc_info=(type(error), error, error.__traceback__ and error.__traceback__.tb_next)
        )


def _microseconds(seconds):
    return min(int(seconds * 1_000_000), 0xFFFFFFFF)
