"""Applications on real data, each a module with build, load_data, train and evaluate."""
