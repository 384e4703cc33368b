"""A certificate authority for one test, and what it signs: PEM files in a directory, made by openssl."""

import subprocess
from pathlib import Path

FOR_BOTH = "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n"


class Authority:
    """`cacert` is its own certificate; those it issues are good for servers at 127.0.0.1 and for clients."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self._directory = directory
        self._openssl("req", "-x509", *NEW, "-days", "2", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem")
        self.cacert = self._file("ca.pem")

    def issue(self, name: str, subject: str) -> tuple[str, str]:
        """Paths of a certificate and its key."""
        extensions = self._directory / f"{name}.ext"
        extensions.write_text(FOR_BOTH, encoding="utf-8")
        self._openssl("req", *NEW, "-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self._openssl("x509", "-req", "-days", "2", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                      "-CAcreateserial", "-extfile", f"{name}.ext", "-out", f"{name}.crt")
        return self._file(f"{name}.crt"), self._file(f"{name}.key")

    def joined(self, name: str) -> str:
        """The path of one file with the key and the certificate that were issued under that name."""
        path = self._directory / f"{name}.pem"
        path.write_text("".join((self._directory / f"{name}.{part}").read_text() for part in ("key", "crt")))
        return str(path)

    def client(self) -> dict[str, object]:
        """The options of a store's section for a client with a certificate of this authority.

        Its subject has no name: etcd's gateway would refuse it with one.
        """
        cert, key = self.issue("client", "/O=lab")
        return {"cacert": self.cacert, "cert": cert, "key": key}

    def _file(self, name: str) -> str:
        return str(self._directory / name)

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._directory, check=True, capture_output=True)


NEW = ("-newkey", "rsa:2048", "-nodes")
