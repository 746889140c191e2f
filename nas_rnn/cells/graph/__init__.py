"""The graph of a cell: nodes, operations, rules, identity, text, costs."""
