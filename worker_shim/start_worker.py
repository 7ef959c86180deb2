"""Starts one worker: attaches to the supervisor, loads the plugin, serves it.

    start_worker.py --socket PATH --plugin KEY --generation N --token-fd FD
                    [--path DIR]... [--preload MODULE]... [--setup MODULE:FUNCTION]...
                    [--compat] [--gevent]

For a plugin with an interpreter of its own; all others are forked by a spawner.
Ends by itself only when the link does, or when the plugin ends the process.
Exit codes: 0 stopped as asked, 3 could not attach, 4 the link was lost.
"""

import argparse
import os
import sys

from plugin_worker import runtime


def main():
    parser = argparse.ArgumentParser(prog="start_worker.py")
    parser.add_argument("--socket", required=True, help="Unix socket of this launch")
    parser.add_argument("--plugin", required=True, help="key of the plugin")
    parser.add_argument("--generation", required=True, type=int, help="number of this launch")
    parser.add_argument("--token-fd", required=True, type=int, help="pipe that holds the secret")
    runtime.add_options(parser)
    options = parser.parse_args()
    with os.fdopen(options.token_fd, "rb") as pipe:
        token = pipe.read(4096)

    runtime.prepare(options)
    runtime.set_up(options)
    from plugin_worker.plugin_host import serve_plugin
    from plugin_worker.refusals import explain_refusals

    explain_refusals()
    # The native module has taken it from the process; Python has a copy.
    os.environ.pop("PLUGIN_WORKER_SANDBOX", None)
    # A plugin that looks at its arguments sees none.
    del sys.argv[1:]
    return serve_plugin(options.socket, options.plugin, options.generation, token)


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
