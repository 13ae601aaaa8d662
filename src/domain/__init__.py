"""The pure core of Touchline: rules, messages, ports and the use cases that run on the ports.

Nothing in here opens a socket or a file, asks the clock, draws a random number or imports
anything but the standard library. Time, ids and the outside world come in as arguments.
"""
