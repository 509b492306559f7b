"""Builds the SD-card image from Debian packages; `image/build.py` is the entry point."""
