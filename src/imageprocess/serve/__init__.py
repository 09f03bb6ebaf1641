"""The HTTP service and its pages. `create_app` in app.py builds it."""
