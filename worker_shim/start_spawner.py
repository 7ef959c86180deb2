"""Starts the spawner of one runtime profile, which forks workers on request.

    start_spawner.py --control-fd FD [--path DIR]... [--preload MODULE]...
                     [--setup MODULE:FUNCTION]... [--compat] [--gevent]

Ends when the supervisor closes the control socket. Exit codes of a worker:
those of start_worker.py.
"""

import argparse
import os
import sys

from plugin_worker import runtime


def main():
    parser = argparse.ArgumentParser(prog="start_spawner.py")
    parser.add_argument("--control-fd", required=True, type=int, help="socket of the supervisor")
    runtime.add_options(parser)
    options = parser.parse_args()
    del sys.argv[1:]

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
