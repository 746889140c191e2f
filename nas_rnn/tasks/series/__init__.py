"""What tasks share whose items are labelled series: recordings in memory, their parts, the model, what is shown.

Each task brings its own files and options; none of this knows them.
"""
