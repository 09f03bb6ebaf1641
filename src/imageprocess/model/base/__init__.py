"""A pretrained encoder that does not ship with the package: fetched by hash, cut, quantised, composed with our head."""
