"""The command line: reads options, calls `nas_rnn.experiment`, prints what comes back; decides nothing.

Everything that takes long to import is imported inside the commands, so that ``--help`` answers at once.
"""

from nas_rnn.cli.app import main

__all__ = ["main"]
