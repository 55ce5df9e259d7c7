//! The text of a vault's target becomes the store it is in: a folder, or a prefix of a bucket. Must not know what a
//! vault keeps there.
//!
//! Invariant: of a target that is refused no more is shown than its scheme, as it may be a signed address.

use crate::error::{Error, Kind, Result};
use vault::{AnyStore, DirStore};

/// The schemes of buckets, with the service that each means.
pub const BUCKETS: [(&str, Cloud); 3] = [("gs", Cloud::Google), ("s3", Cloud::Amazon), ("az", Cloud::Azure)];

/// Who keeps a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// Google Cloud Storage.
    Google,
    /// S3, or a service that speaks it.
    Amazon,
    /// Azure's blobs; a bucket is a container there.
    Azure,
}

/// A prefix of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket<'a> {
    /// Who keeps it.
    pub service: Cloud,
    /// Its name.
    pub name: &'a str,
    /// What the names of all our objects begin with; may be empty.
    pub prefix: &'a str,
}

/// Whether a target is meant as an address and not as a path.
pub fn is_address(target: &str) -> bool {
    target.contains("://")
}

/// The store that a target means. Nothing is made and nobody is asked. `environment` holds endpoints and credentials.
///
/// # Errors
/// An address of another kind; settings of a cloud that cannot be used.
pub fn store(target: &str, environment: impl IntoIterator<Item = (String, String)>) -> Result<AnyStore> {
    match is_address(target) {
        false => Ok(AnyStore::Dir(DirStore::new(target))),
        true => in_bucket(bucket(target)?, target, environment),
    }
}

#[cfg(feature = "cloud")]
fn in_bucket(
    bucket: Bucket<'_>,
    target: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<AnyStore> {
    let objects = super::buckets::objects(bucket, environment)?;
    Ok(AnyStore::Cloud(vault::CloudStore::new(objects, bucket.prefix, target)?))
}

#[cfg(not(feature = "cloud"))]
fn in_bucket(_: Bucket<'_>, target: &str, _: impl IntoIterator<Item = (String, String)>) -> Result<AnyStore> {
    let text = format!("opening `{target}`: this program was built without buckets");
    Err(Error::new(Kind::Usage, text).hint("build it with the feature `cloud`, or name a folder"))
}

/// Reads the address of a bucket.
///
/// # Errors
/// Another scheme, no bucket, or parts that no name of an object should have.
pub fn bucket(target: &str) -> Result<Bucket<'_>> {
    let (scheme, rest) = target.split_once("://").unwrap_or(("", target));
    let refused = |found: &str| {
        let scheme: String = scheme.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
        Error::new(Kind::Usage, format!("vault target `{scheme}://...`: {found}"))
            .hint("name a folder, or `gs://BUCKET/PREFIX`, `s3://BUCKET/PREFIX`, `az://CONTAINER/PREFIX`")
    };
    let service = BUCKETS.into_iter().find(|(name, _)| *name == scheme);
    let (_, service) = service.ok_or_else(|| refused("no store has addresses of this kind"))?;
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_end_matches('/');
    if !is_plain(name) {
        return Err(refused("the bucket's name is empty or not made of letters, digits, `.`, `-` and `_`"));
    }
    if !prefix.is_empty() && !prefix.split('/').all(is_plain) {
        return Err(refused(
            "a part of the prefix is empty or not made of letters, digits, `.`, `-`, `_`, `=`",
        ));
    }
    Ok(Bucket { service, name, prefix })
}

fn is_plain(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'=');
    !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_service_a_bucket_and_a_prefix() {
        let google = |name, prefix| Bucket { service: Cloud::Google, name, prefix };
        assert_eq!(bucket("gs://b").unwrap(), google("b", ""));
        assert_eq!(bucket("gs://b/").unwrap(), google("b", ""));
        assert_eq!(bucket("gs://b/wiki/prod/").unwrap(), google("b", "wiki/prod"));
        assert_eq!(bucket("s3://b.c/p").unwrap().service, Cloud::Amazon);
        assert_eq!(bucket("az://c/p").unwrap().service, Cloud::Azure);
        assert!(!is_address("vault") && !is_address("/mnt/gs:/x") && is_address("gs://b"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_and_not_repeated() {
        for target in [
            "gs://",
            "gs:///hunter2",
            "gs://b//hunter2",
            "s3://b/../hunter2",
            "s3://b/.hunter2",
            "az://c/p?sig=hunter2",
            "s3://id:hunter2@b/p",
            "s3://b/p#hunter2",
            "https://account.example/c?sig=hunter2",
            "file:///hunter2",
        ] {
            let error = store(target, []).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{target}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(error.advice().is_some());
        }
    }
}
