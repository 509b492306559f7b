"""Masqgate: a router whose uplink is a modem."""

__version__ = "0.1.0"
