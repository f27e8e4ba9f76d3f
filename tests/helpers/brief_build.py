"""pfamnet-build that calibrates by an eighth of the decoys."""

from small_build import make_brief

from pfamnet.cli import main_build

make_brief(8)
main_build()
