from ..helpers import greet

ROWS = [greet("table")]
