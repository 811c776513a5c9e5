"""Who orders: accounts with their balances and counters, and the keys that speak for them."""
