"""Certificates for the TLS tests."""

import ssl

import pytest
from helpers import Authority

VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """The authority that the clients trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


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


@pytest.fixture(params=VERSIONS.values(), ids=VERSIONS.keys())
def version(request):
    """Each version of TLS that is in use."""
    return request.param
