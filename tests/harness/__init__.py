"""What the integration and end-to-end tests drive the real programs with."""
