"""The stages of a search and a comparison, each a source of runs that skips what is done already."""
