"""The eager backend: torch's own functions and autograd, with as little as possible inside the loop over time."""
