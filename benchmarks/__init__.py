"""How fast it is, and how much memory it takes; each one is run by hand."""
