"""A pretrained encoder that does not ship with the package: downloaded and verified by hash, cut after the last block
used, quantised, and composed with the head that ships."""
