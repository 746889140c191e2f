"""What benchmarks/search_efficiency.py is made of: problems with known results, the searches, and their curves."""
