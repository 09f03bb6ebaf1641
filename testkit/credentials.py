"""Content Credentials signed at test time by a certificate authority of the test run."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
Action = dict[str, Any]


@dataclass(frozen=True)
class Authority:
    """A certificate authority and one signer with its certificate."""

    root_pem: str
    chain_pem: bytes
    key_pem: bytes


@lru_cache
def authority(name: str = "Test", lasts: timedelta = timedelta(days=30)) -> Authority:
    """A signer whose certificate is valid from yesterday until `lasts` from now; its root is valid longer."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name, subject = _name(f"{name} Root"), _name(f"{name} Signer")
    begin, end = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + lasts
    root = (
        _certificate(root_name, root_name, root_key.public_key(), begin, end + timedelta(days=99))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(certifies=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        _certificate(subject, root_name, key.public_key(), begin, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(certifies=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
        )
        .sign(root_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    key_pem = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Authority(
        root.public_bytes(pem).decode(), leaf.public_bytes(pem) + root.public_bytes(pem), key_pem
    )


def sign(
    picture: bytes,
    actions: Sequence[Action],
    mime: str = "image/jpeg",
    *,
    by: Authority | None = None,
    ingredients: Sequence[tuple[str, bytes]] = (),
    generator: str = "imageprocess tests",
) -> bytes:
    """`picture` with a manifest of `actions`; `ingredients`: (relationship, image file, signed or unsigned)."""
    by = by or authority()
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo("es256", by.chain_pem, by.key_pem, None))
    definition = {
        "claim_generator_info": [{"name": generator, "version": "1"}],
        "title": "picture",
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": list(actions)}}],
    }
    settings = {
        "verify": {"verify_after_sign": False, "remote_manifest_fetch": False, "ocsp_fetch": False},
        "builder": {"thumbnail": {"enabled": False}, "actions": {"auto_created_action": {"enabled": False}}},
    }
    with c2pa.Builder(definition, context=c2pa.Context.from_dict(settings)) as builder:
        for i, (relationship, source) in enumerate(ingredients):
            ingredient_json = json.dumps(
                {"title": f"ingredient {i}", "relationship": relationship, "label": f"ingredient-{i}"}
            )
            builder.add_ingredient(ingredient_json, mime, io.BytesIO(source))
        signed = io.BytesIO()
        builder.sign(signer, mime, io.BytesIO(picture), signed)
    return signed.getvalue()


def created(source_type: str | None, **more: Any) -> Action:
    kind = {"digitalSourceType": IPTC + source_type} if source_type else {}
    return {"action": "c2pa.created", **kind, **more}


def opened(ingredient: int = 0) -> Action:
    return {"action": "c2pa.opened", "parameters": {"ingredientIds": [f"ingredient-{ingredient}"]}}


def placed(ingredient: int = 0) -> Action:
    return {"action": "c2pa.placed", "parameters": {"ingredientIds": [f"ingredient-{ingredient}"]}}


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, common_name),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )


def _key_usage(*, certifies: bool) -> x509.KeyUsage:
    others: Mapping[str, bool] = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(digital_signature=True, key_cert_sign=certifies, crl_sign=certifies, **others)
