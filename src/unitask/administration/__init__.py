"""What operators decide: accounts, plans, keys, credit. Each decision is one transaction, with a line in the audit."""
