"""The proof of the catalogue: what its entries say, against what the installed torch does."""
