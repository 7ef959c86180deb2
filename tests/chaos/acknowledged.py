"""What a value may be after writes of which some were acknowledged and some are in doubt."""

from __future__ import annotations


class Acknowledged:
    """Of one value with one writer, who writes one after the other."""

    def __init__(self, value):
        self.may_be = [value]
        self.count = 0

    def took(self, value):
        """It was acknowledged: whatever was before is gone."""
        self.may_be = [value]
        self.count += 1

    def in_doubt(self, value):
        """No answer, or one that leaves it open."""
        self.may_be.append(value)

    def judge(self, answer, value):
        """`answer` is the Response to a write, or None."""
        if answer is not None and answer.status == 200:
            self.took(value)
        elif answer is None or answer.status >= 500:
            self.in_doubt(value)
