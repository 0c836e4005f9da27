"""The TLS tests' fixtures: certificates, and mainspring's two ways of doing TLS."""

import ssl

import pytest
from helpers import Authority
from mainspring import _tls

VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """The authority that the clients trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(params=["native", "python"], ids=["TLS-native", "TLS-python"])
def tls_way(request, monkeypatch):
    """Whether mainspring calls OpenSSL itself, or leaves all to the ssl module as with MAINSPRING_TLS=python."""
    monkeypatch.setattr(_tls, "native", request.param == "native")
    return request.param


@pytest.fixture(params=VERSIONS.values(), ids=VERSIONS.keys())
def version(request):
    """Each version of TLS that is in use."""
    return request.param
