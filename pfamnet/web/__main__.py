"""`python -m pfamnet.web`."""

from .app import leave, run, web

leave(run(web))
