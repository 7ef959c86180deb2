"""Vice: opens files and closes none, at most 100,000."""

import errno
import os

MOST = 100_000


class Plugin:
    def __init__(self):
        self.kept = []

    def run(self, action, params, context):
        if action == "open":
            try:
                while len(self.kept) < MOST:
                    self.kept.append(open(os.devnull))
            except OSError as error:
                return {"opened": len(self.kept), "refused": errno.errorcode[error.errno]}
        if action == "close":
            self.kept.clear()
        return {"opened": len(self.kept)}
