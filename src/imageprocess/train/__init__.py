"""Training. The only package that imports torch, and only inside its modules."""
