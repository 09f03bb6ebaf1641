"""`python app.py` starts the service. HOST, PORT and API_KEY come from the environment."""

from imageprocess.cli.serve import serve

if __name__ == "__main__":
    serve()
