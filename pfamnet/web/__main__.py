"""`python -m pfamnet.web`."""

from ..cli.common import leave, run
from .app import web

leave(run(web))
