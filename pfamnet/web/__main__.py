"""`python -m pfamnet.web`."""

from ..cli import main_web

main_web()
