"""What `unitask doctor` looks for. `known` lists every trouble that it can tell; the other modules find them."""
