"""The parts of `cell_speed.py`: what is timed, against what, and how."""
