"""Vice: prints what a terminal would obey, and what is no text at all."""

import os

TRICKS = [
    b"colour \x1b[31m and title \x1b]0;owned\x07",
    b"hidden\rshown",
    b"c1 \xc2\x9b31m",
    b"not utf8 \xff\xfe \xc0\xaf \xed\xa0\x80",
    "reordered \u202etxt.exe\u202c \u2066x\u2069".encode(),
    "separated \u2028 \u2029".encode(),
    b"nul \x00 backspace \x08\x08 delete \x7f",
]


class Plugin:
    def run(self, action, params, context):
        if action == "print":
            os.write(1, b"\n".join(TRICKS) + b"\n")
        elif action == "log":
            for trick in TRICKS:
                context["logger"].info("%s", trick.decode("utf-8", "surrogateescape"))
        return {"status": "ok"}
