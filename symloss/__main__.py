"""`python -m symloss`: the command line of symloss, for where its script is not on the path."""

from symloss.cli import main

if __name__ == "__main__":
    main()
