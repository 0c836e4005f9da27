"""Certificates for the TLS tests, and mainspring's two ways of doing TLS, on both of which all of them run."""

import pytest
from helpers import Authority
from mainspring import _tls

WAYS = ("native", "python")


def pytest_generate_tests(metafunc):
    metafunc.parametrize("tls_way", WAYS, indirect=True, ids=[f"TLS-{way}" for way in WAYS])


def pytest_collection_modifyitems(config, items):
    # The default loop has one way only.
    def needed(item):
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        return parameters.get("loop_name") != "default" or parameters.get("tls_way") != "python"

    config.hook.pytest_deselected(items=[item for item in items if not needed(item)])
    items[:] = [item for item in items if needed(item)]


@pytest.fixture(autouse=True)
def tls_way(request, monkeypatch):
    """Whether mainspring calls OpenSSL itself, or leaves all to the ssl module as with MAINSPRING_TLS=python."""
    monkeypatch.setattr(_tls, "native", request.param == "native")
    return request.param


@pytest.fixture(scope="session")
def stranger(tmp_path_factory):
    """An authority that nobody knows."""
    return Authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture
def server_context(authority):
    return authority.server_context()


@pytest.fixture
def client_context(authority):
    return authority.client_context()
