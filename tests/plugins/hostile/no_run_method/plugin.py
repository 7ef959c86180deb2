"""Vice: the class has no run()."""


class Plugin:
    name = "No Run Method"
