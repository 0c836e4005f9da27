"""mainspring's two ways of doing TLS."""

import pytest
from mainspring import _tls


@pytest.fixture(params=["native", "python"], ids=["TLS-native", "TLS-python"])
def tls_way(request, monkeypatch):
    """Whether mainspring calls OpenSSL itself, or leaves all to the ssl module as with MAINSPRING_TLS=python."""
    monkeypatch.setattr(_tls, "native", request.param == "native")
    return request.param
