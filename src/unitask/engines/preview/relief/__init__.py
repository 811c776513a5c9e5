"""Stand-in 3D models: the outline of a thing, blown up like a cushion, with its picture on it."""
