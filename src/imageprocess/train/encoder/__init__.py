"""Training a head on a pretrained encoder: features once, then heads in a minute."""
