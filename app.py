"""`python app.py` starts the service. HOST, PORT and API_KEY come from the environment."""

import sys

from imageprocess.cli import main

if __name__ == "__main__":
    main(["serve", *sys.argv[1:]])
