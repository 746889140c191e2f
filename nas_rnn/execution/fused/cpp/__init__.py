"""Prints schedules as C++, and the C++ that all cells share."""

from nas_rnn.execution.fused.cpp.code import CppCode, print_cpp

__all__ = ["CppCode", "print_cpp"]
