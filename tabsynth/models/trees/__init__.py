"""What tree models share: the values that leaves may hold, how trees grow, how they are read."""
