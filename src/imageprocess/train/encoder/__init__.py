"""Training a head on a frozen pretrained encoder, whose features are extracted once and stored."""
