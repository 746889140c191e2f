"""The parts of `golden.py`: what is run, what is read from it, how two records are compared, and many commits."""
