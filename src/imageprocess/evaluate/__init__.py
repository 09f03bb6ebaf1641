"""The yardstick: measures any detector on the same pictures, delivered in the ways that pictures travel."""
