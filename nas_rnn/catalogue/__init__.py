"""Read-only questions: which cell a name stands for, what there is, what a saved model does."""
