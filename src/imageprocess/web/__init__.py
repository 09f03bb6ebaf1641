"""The web pages: static files for the service or for a static site."""
