"""Prints stages as Triton kernels for CUDA, and runs cells with them; Triton itself is imported only there."""
