"""Vice: os._exit while imported."""

import os

print("last words of the import", flush=True)
os._exit(5)
