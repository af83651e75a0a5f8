//! A certificate for one run, and its authority.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};

use crate::Result;

/// Writes `public.crt` and `private.key`, the names that MinIO expects, into a new folder, and
/// returns the file of the authority. Both are valid only for an address, and the authority's key
/// is not kept.
/// <https://docs.min.io/community/minio-object-store/operations/network-encryption.html>
pub(super) fn write(folder: &Path, address: IpAddr) -> Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "authority of one test run");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

    let mut server = CertificateParams::default();
    server.distinguished_name.push(DnType::CommonName, "server of one test run");
    server.subject_alt_names.push(SanType::IpAddress(address));
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &authority)?;

    std::fs::write(folder.join("public.crt"), certificate.pem())?;
    std::fs::write(folder.join("private.key"), key.serialize_pem())?;
    // Outside the folder that MinIO reads: it would use every certificate in it as its own.
    let file = folder.with_extension("authority.pem");
    std::fs::write(&file, authority.pem())?;
    Ok(file)
}
