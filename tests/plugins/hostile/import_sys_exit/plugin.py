"""Vice: sys.exit while imported."""

import sys

sys.exit("not in the mood")
