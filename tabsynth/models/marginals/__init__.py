"""What `marginal` is made of: graphical models of noisy counts, and how counts are chosen."""
