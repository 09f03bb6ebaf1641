"""Training samples: from a row of the index to the pixels and the class index that a network is trained on."""
