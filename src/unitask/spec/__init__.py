"""The vocabulary in which products, prices, recipes and engines are described."""
