"""The pages: static files that the service serves, and that make a site of their own without any server."""
