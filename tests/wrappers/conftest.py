import pytest
from workflow_engines import write_programs


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """A PATH with pfamnet-scan, and with pfamnet-build of a very small network."""
    return write_programs(tmp_path_factory.mktemp("programs"))
