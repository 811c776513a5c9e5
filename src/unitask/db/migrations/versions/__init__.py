"""One file per change of the schema, additive in the release that needs it."""
