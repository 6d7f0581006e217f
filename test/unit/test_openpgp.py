"""The fingerprints of OpenPGP keys, as gpg says them."""

import pytest

from haproxy_ha_lib import openpgp
from support import keys


@pytest.mark.parametrize(("text", "found"), [
    (keys.ED25519, [keys.ED25519_FINGERPRINT]),
    (keys.RSA, [keys.RSA_FINGERPRINT]),
    (keys.RSA + keys.ED25519, [keys.RSA_FINGERPRINT, keys.ED25519_FINGERPRINT]),
    (keys.RSA.replace("\n", "\r\n"), [keys.RSA_FINGERPRINT]),
    (keys.RSA.replace("BLOCK-----\n", "BLOCK-----\nVersion: x\nComment: y\n", 1), [keys.RSA_FINGERPRINT]),
    ("", []),
    ("<html>", []),
    ("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ\n-----END PGP PUBLIC KEY BLOCK-----", []),
    ("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!\n-----END PGP PUBLIC KEY BLOCK-----", []),
])  # fmt: skip
def test_the_fingerprints_of_a_text(text, found):
    assert openpgp.fingerprints(text) == found


def test_whatever_is_cut_off_makes_no_exception():
    for end in range(0, len(keys.RSA), 7):
        cut = keys.RSA[:end] + "\n-----END PGP PUBLIC KEY BLOCK-----"
        assert openpgp.fingerprints(cut) in ([], [keys.RSA_FINGERPRINT])
