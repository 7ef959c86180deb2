"""Runs the battery of attacks at every tier and writes the table in deploy/docs/security.md.

    BUILD_DIR=build/release /usr/bin/python3 tests/attack_table.py

As root; needs PostgreSQL's programs, as the tests do."""

from harness import attack_table, attack_tiers
from harness.postgres import Postgres


def main():
    postgres = Postgres()
    try:
        seen = [attack_tiers.look(postgres, tier) for tier in attack_tiers.TIERS]
    finally:
        postgres.close()
    attack_table.write(attack_table.rows(seen))


if __name__ == "__main__":
    main()
