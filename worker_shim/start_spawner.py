"""Starts the spawner of one runtime profile, which forks workers on request.

    start_spawner.py --control-fd FD [--path DIR]... [--preload MODULE]...
                     [--setup MODULE:FUNCTION]... [--compat] [--gevent] [--own-privileges]

Ends when the supervisor closes the control socket. Exit codes of a worker:
those of start_worker.py.
"""

import argparse
import os
import sys

from plugin_worker import runtime


def enter_own_privileges():
    from plugin_worker import _native

    try:
        _native.enter_own_privileges()
    except OSError as error:
        # Workers then go without, and say so.
        print(f"no user namespace can be made: {error}", file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(prog="start_spawner.py")
    parser.add_argument("--control-fd", required=True, type=int, help="socket of the supervisor")
    parser.add_argument("--own-privileges", action="store_true", help="in a user namespace")
    runtime.add_options(parser)
    options = parser.parse_args()
    del sys.argv[1:]

    if options.own_privileges:
        enter_own_privileges()
    runtime.prepare(options)
    from plugin_worker.spawner import serve_spawner

    return serve_spawner(options)


if __name__ == "__main__":
    code = 1
    try:
        code = main()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    # Not exit(): threads that the plugin left behind would be waited for.
    os._exit(code & 0xFF)
