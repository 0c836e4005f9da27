"""Certificates made by the openssl command, and TLS contexts that use them."""

import ssl
import subprocess

_CONFIGURATION = """
[req]
distinguished_name = name
prompt = no
[name]
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[ca]
default_ca = issuing
[issuing]
database = {folder}/issued.txt
new_certs_dir = {folder}
default_md = sha256
policy = policy
copy_extensions = copy
rand_serial = yes
unique_subject = no
x509_extensions = leaf
[policy]
commonName = supplied
[leaf]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
authorityKeyIdentifier = keyid
"""

_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.certificate, self._key = folder / "authority.pem", folder / "authority.key"
        self._configuration = folder / "openssl.cnf"
        self._configuration.write_text(_CONFIGURATION.format(folder=folder))
        (folder / "issued.txt").touch()
        self._openssl("req", "-x509", *_NEW_KEY, "-days", "2", "-extensions", "authority", "-subj", "/CN=Authority",
                      "-keyout", self._key, "-out", self.certificate)  # fmt: skip

    def _openssl(self, command, *arguments):
        subprocess.run(
            ["openssl", command, "-config", self._configuration, *arguments], check=True, capture_output=True
        )

    def issue(self, name, expired=False):
        """Issue a certificate for `name` ("localhost" is 127.0.0.1 as well); the path of a file with it and its key."""
        alternatives = f"DNS:{name}{',IP:127.0.0.1' if name == 'localhost' else ''}"
        file = self.folder / f"{name}{'-expired' if expired else ''}.pem"
        if file.exists():
            return file
        key, request = file.with_suffix(".key"), file.with_suffix(".request")
        self._openssl("req", *_NEW_KEY, "-subj", f"/CN={name}",
                      "-addext", f"subjectAltName={alternatives}",
                      "-keyout", key, "-out", request)  # fmt: skip
        validity = ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"] if expired else ["-days", "2"]
        self._openssl("ca", "-batch", "-notext", "-keyfile", self._key, "-cert", self.certificate, *validity,
                      "-in", request, "-out", file)  # fmt: skip
        file.write_text(file.read_text() + key.read_text())
        return file

    def server_context(self, name="localhost", *, version=None, expired=False, asks_client=False, kind=ssl.SSLContext):
        """A context for servers whose certificate is for `name`."""
        context = kind(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.issue(name, expired))
        if asks_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.certificate)
        return limited_to(version, context)

    def client_context(self, *, version=None, name=None, kind=ssl.SSLContext):
        """A context for clients that trust this authority; with `name` they have a certificate of their own."""
        context = kind(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.certificate)
        if name is not None:
            context.load_cert_chain(self.issue(name))
        return limited_to(version, context)


def limited_to(version, context):
    """The context, allowed nothing but this version of TLS if one is given."""
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context
