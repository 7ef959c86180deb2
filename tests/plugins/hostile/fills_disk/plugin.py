"""Vice: fills its data directory, at most with a gibibyte."""

import errno
import mmap
import os
import shutil
import time

MIB = 1 << 20
MOST = 1024  # MiB
PART = b"x" * MIB


def write(path, mebibytes):
    """How many it came to, and what it was refused with."""
    done = 0
    try:
        with open(path, "ab", buffering=0) as file:
            while done < mebibytes:
                if file.write(PART) != MIB:
                    continue
                done += 1
    except OSError as error:
        return done, errno.errorcode[error.errno]
    return done, None


def write_files(mebibytes, size=4):
    done = 0
    while done < mebibytes:
        more, refused = write(f"part{done}", size)
        done += more
        if refused:
            return {"written": done, "refused": refused}
    return {"written": done, "refused": None}


def until_ended(at_once, per_second, lasting=45):
    """So many numbers at once, then so many a second. Awake all the while: who sleeps is not
    measured. Not as fast as it can: a fuller directory takes longer to be measured."""
    began, number = time.monotonic(), 0
    while (passed := time.monotonic() - began) < lasting:
        if number < at_once + per_second * passed:
            yield number
            number += 1


class Plugin:
    def __init__(self):
        self.kept = []

    def run(self, action, params, context):
        return getattr(self, action)(**(params or {}))

    def whole(self, mebibytes=MOST):
        return write_files(mebibytes)

    def single(self, path="single", mebibytes=MOST):
        done, refused = write(path, mebibytes)
        return {"written": done, "refused": refused}

    def careless(self):
        with open("careless", "wb", buffering=0) as file:
            while file.tell() < MOST * MIB:
                file.write(PART)

    def child(self):
        child = os.fork()
        if child == 0:
            refused = write_files(MOST)["refused"]
            os._exit(errno.EFBIG if refused == "EFBIG" else 0)
        return {"refused": errno.errorcode.get(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))}

    def sparse(self, mebibytes=MOST * 1024):
        with open("sparse", "wb") as file:
            try:
                file.truncate(mebibytes * MIB)
            except OSError as error:
                return {"refused": errno.errorcode[error.errno]}
        return {"blocks": os.stat("sparse").st_blocks}

    def mapped(self, size=4):
        names = [f"mapped{number}" for number in range(MOST // size)]
        for name in names:  # While they may become so large.
            with open(name, "wb") as file:
                file.truncate(size * MIB)
        for name in names:
            with open(name, "r+b") as file:
                with mmap.mmap(file.fileno(), size * MIB) as memory:
                    for page in range(0, size * MIB, mmap.PAGESIZE):
                        memory[page] = 1
        for _ in until_ended(0, 0):
            pass
        return {}

    def empty(self):
        for number in until_ended(8192, 2000):
            os.close(os.open(f"empty{number}", os.O_CREAT | os.O_WRONLY))
        return {}

    def nested(self, depth):
        here = os.getcwd()
        for _ in range(depth):
            os.mkdir("d")
            os.chdir("d")
        os.chdir(here)
        return {}

    def linked(self, mebibytes, names):
        write("linked", mebibytes)
        for number in range(names):
            os.link("linked", f"linked{number}")
        return {}

    def unlinked(self, mebibytes, mapped=False):
        file = open("unlinked", "w+b", buffering=0)
        os.unlink("unlinked")
        for _ in range(mebibytes):
            file.write(PART)
        if mapped:
            self.kept.append(mmap.mmap(file.fileno(), mebibytes * MIB))
            file.close()
        else:
            self.kept.append(file)
        return {}

    def remove(self):
        self.kept.clear()
        for entry in os.scandir("."):
            shutil.rmtree(entry) if entry.is_dir() else os.unlink(entry)
        return {}
