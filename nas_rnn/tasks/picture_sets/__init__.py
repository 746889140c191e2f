"""Sets of pictures for every task that reads them: folders of classes, IDX files, the embedded digits, their parts.

Knows no torch.
"""
