"""`python -m playground` serves the page."""

from playground.app import main

main()
