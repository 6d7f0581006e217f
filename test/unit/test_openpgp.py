"""The fingerprints of OpenPGP keys, as gpg says them."""

import base64

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


@pytest.mark.parametrize("block", [keys.ED25519, keys.RSA], ids=["ed25519", "rsa"])
def test_a_keyring_becomes_the_block_that_gpg_prints(block):
    data = base64.b64decode("".join(block.splitlines()[2:-2]))
    assert openpgp.armored(data) == block


@pytest.mark.parametrize("data", [b"", b"<html>", b"\xc6", b"\x99\xff", keys.RSA.encode(), bytes(range(256))])
def test_what_is_no_keyring_makes_no_block(data):
    assert openpgp.armored(data) == ""
