"""The recovery console on the serial line: a menu for whoever stands beside the router.

Physical presence is the authority here: no password is asked for, because whoever can plug in
a serial cable can take the card out as well. See docs/CONSOLE.md.
"""
