"""Whole sequences as compiled code: schedule, gradient, and what prints and runs them."""
