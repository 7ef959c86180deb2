"""The hostile plugins that make a stop hard: plugin, what it does first, whether that call goes
on, and the steps that its stop takes."""

STOPS = [
    ("dies_in_stop", "ping", False, ["stop"]),
    ("dies_in_stop", "abort", False, ["stop", "died"]),
    ("dies_in_stop", "kill", False, ["stop", "died"]),
    ("dies_in_stop", "exit", False, ["stop", "died"]),
    ("ignores_sigterm", "hold", True, ["drain", "stop"]),
    ("stop_hangs", "ping", False, ["stop", "sigterm"]),
    ("holds_on", "ping", False, ["stop", "sigterm", "sigkill"]),
    ("stops_itself", "now", True, ["sigcont", "drain", "stop"]),
    ("stops_itself", "later", False, ["stop", "sigterm"]),
    ("spins_in_c", "spin", True, ["drain", "stop", "sigterm"]),
    ("infinite_loop", "loop", True, ["drain", "stop"]),
    ("stopped_child", "leave", False, ["stop"]),
    ("daemonizes", "daemon", False, ["stop"]),
    ("forks_child_that_outlives", "ignoring", False, ["stop"]),
    ("holds_pipes", "hold", False, ["stop"]),
    ("clears_environment", "daemon", False, ["stop"]),
    ("zombie_farm", "farm", False, ["stop"]),
    ("fork_bomb", "many", False, ["stop"]),
    ("fork_bomb", "runaway", False, ["stop"]),
    ("fork_bomb", "scatter", False, ["stop"]),
]
