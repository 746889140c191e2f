"""One running or finished search, comparison or ablation as files: what lies where, and the one reader of it."""
