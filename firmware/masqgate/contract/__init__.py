"""Types and calls that page, console and command line share; needs no privilege."""
