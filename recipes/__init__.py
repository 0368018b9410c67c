"""The recipes: one module per application, all of one shape. Copy one, edit it, and run it by its path."""
