"""How the networks are made. The only room that imports torch, and only inside its modules."""
