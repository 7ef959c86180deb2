"""What the children that a plugin forks have of its link: nothing."""

FORKS = """
import os

def is_open(fd):
    try:
        os.fstat(fd)
        return True
    except OSError:
        return False

class Plugin:
    def run(self, action, params, context):
        child = os.fork()
        if child == 0:
            # The lowest number is that of the link, which the child has let go.
            opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(64)]
            grandchild = os.fork()
            if grandchild == 0:
                os._exit(sum(not is_open(fd) for fd in opened))
            os._exit(os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]))
        return {"closed": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}
"""


def prepare(installation):
    installation.write("forks", FORKS)


def test_a_childs_child_keeps_the_files_of_its_parent(ctl):
    """The link was closed by its number in every child, and by then the number was another's."""
    ctl.enable("forks")
    assert ctl.result("forks", "fork") == {"closed": 0}
