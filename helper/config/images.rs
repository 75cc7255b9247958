//! The one table of container images, pinned by digest, and what an image reference looks like.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Anthropic's proxy, as its documentation pins it since 2026-07-26.
pub(crate) const PROXY: &str = "us-docker.pkg.dev/anthropic-public-registry/images/mcp-proxy@sha256:efb27b299d627e4134815663cb8896641eeaee025d734c0f695582b4df38f013";

/// The tunnel agent, 2026.3.0, as Anthropic's documentation pins it.
pub(crate) const CLOUDFLARED: &str =
    "cloudflare/cloudflared:2026.3.0@sha256:6b599ca3e974349ead3286d178da61d291961182ec3fe9c505e1dd02c8ac31b0";

/// Base of the sample server's image.
pub(crate) const PYTHON: &str =
    "python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b";

/// All of them, by the names of the setting `images`.
pub(crate) const TABLE: [(&str, &str); 3] = [("proxy", PROXY), ("cloudflared", CLOUDFLARED), ("python", PYTHON)];

/// Registry of the sample's own image: a reserved name to which nothing can be published, so that a name that is missing here is built
/// and never pulled.
pub(crate) const SAMPLE_REGISTRY: &str = "localhost";

/// An image reference: `[host[:port]/]path[:tag][@sha256:digest]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct ImageRef(String);

impl ImageRef {
    /// Reads a reference.
    ///
    /// # Errors
    /// Says what is wrong with it. The registry has the last word; this keeps out what Docker calls
    /// `invalid reference format`, and everything that Compose would interpolate.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match fault(text) {
            Some(why) => {
                Err(format!("the image `{text}` {why}; it must look like `registry/name:tag@sha256:<64 hex digits>`"))
            }
            None => Ok(Self(text.to_owned())),
        }
    }

    /// One of the table above.
    pub(crate) fn known(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Digests that registries use: the algorithm, and how many hex digits it has
/// (https://github.com/opencontainers/image-spec/blob/main/descriptor.md#registered-algorithms).
const ALGORITHMS: [(&str, usize); 3] = [("sha256", 64), ("sha384", 96), ("sha512", 128)];

/// What Docker calls `invalid reference format` in a reference, if it does
/// (https://pkg.go.dev/github.com/distribution/reference#pkg-overview).
pub(crate) fn fault(text: &str) -> Option<String> {
    let said = |why: &str| Some(why.to_owned());
    if text.is_empty() || text.len() > 500 {
        return said("is empty or overlong");
    }
    if text.contains("://") {
        return said("begins with the scheme of a URL");
    }
    if let Some(c) = text.chars().find(|c| !c.is_ascii_alphanumeric() && !"._-/:@[]+".contains(*c)) {
        return Some(format!("has the character {c:?}"));
    }
    let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
    if let Some(why) = digest.and_then(fault_of_digest) {
        return Some(why);
    }
    let (registry, path) = match name.split_once('/') {
        Some((host, path)) if host.contains(['.', ':', '[']) || host == "localhost" => (Some(host), path),
        Some(_) | None => (None, name),
    };
    if registry.is_some_and(|host| host.starts_with([':', '.', '-'])) {
        return said("has no registry host");
    }
    let (path, tag) = path.split_once(':').map_or((path, None), |(path, tag)| (path, Some(tag)));
    if let Some(tag) = tag {
        if ALGORITHMS.iter().any(|(name, _)| tag.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'))) {
            return said("has a digest behind `:`, which belongs behind `@`");
        }
        if tag.is_empty() || tag.len() > 128 || tag.starts_with(['.', '-']) || tag.contains(['/', ':', '+', '[', ']']) {
            return said("has no valid tag after the colon");
        }
    }
    let ends_are_plain = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.ends_with(|c: char| c.is_ascii_alphanumeric())
    };
    let is_wrong = |part: &str| !ends_are_plain(part) || part.contains(['+', '[', ']']) || part.contains("..");
    if path.split('/').any(is_wrong) {
        return said("has a name with a part that is empty or begins or ends with a dot or dash");
    }
    path.contains(|c: char| c.is_ascii_uppercase())
        .then(|| "has a name with capital letters, which must be small".to_owned())
}

fn fault_of_digest(digest: &str) -> Option<String> {
    let Some((name, hex)) = digest.split_once(':') else {
        return Some("has no algorithm behind `@`, as in `@sha256:`".to_owned());
    };
    let Some((_, length)) = ALGORITHMS.iter().find(|(algorithm, _)| *algorithm == name) else {
        return Some("names a digest that registries do not use; the usual one is `@sha256:`".to_owned());
    };
    let is_hex = |hex: &str| hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    match hex.len() {
        own if own < *length => Some(format!(
            "has no digest of {length} hex digits after `@{name}:` (there are {own}); it may have been cut when it was \
             copied"
        )),
        own if own > *length => {
            Some(format!("has {own} characters after `@{name}:`, where {length} hex digits belong"))
        }
        _ => (!is_hex(hex)).then(|| format!("has other characters than 0-9 and a-f after `@{name}:`")),
    }
}

/// Digests of the proxy that Anthropic's documentation has pinned, the present one and those before.
const PROXY_DIGESTS: [&str; 2] = [
    "sha256:efb27b299d627e4134815663cb8896641eeaee025d734c0f695582b4df38f013",
    "sha256:6b9adedbf2763143ec72f106ecaf0ce7fd3294e89b208f54a1db97a33d14c5ba",
];

/// Whether a reference is the proxy's by its digest, from any mirror.
pub(crate) fn is_proxy(reference: &str) -> bool {
    reference.split_once('@').is_some_and(|(_, digest)| PROXY_DIGESTS.contains(&digest))
}

/// Whether a reference names one image for good.
pub(crate) fn is_pinned(reference: &str) -> bool {
    reference.contains('@')
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ImageRef {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_of_the_table_are_pinned_and_valid() {
        for text in [PROXY, CLOUDFLARED, PYTHON] {
            assert!(is_pinned(ImageRef::parse(text).unwrap().as_str()), "{text}");
        }
    }

    #[test]
    fn what_docker_would_refuse_is_refused_before() {
        let hex = "ab".repeat(32);
        let digests = [
            format!("a@{hex}"),
            format!("a:sha256:{hex}"),
            format!("a@sha256:{hex}0"),
            format!("a@sha256:{}", hex.to_uppercase()),
            format!("a@sha512:{hex}"),
            format!("a@md5:{hex}"),
        ];
        let others =
            ["", "a b", "Name", "a@sha256:abc", "a:", "a//b", "${X}", "-a", "a@b", "\"a\"", "a/", ":5000/a", "a:1:2"];
        let schemes = ["https://ghcr.io/a/b:1", "docker://a/b"];
        for text in digests.iter().map(String::as_str).chain(others).chain(schemes) {
            assert!(ImageRef::parse(text).is_err(), "{text}");
        }
        let pinned = [format!("a/b:1.0@sha256:{hex}"), format!("a@sha512:{hex}{hex}")];
        let others = [
            "a",
            "a:1",
            "localhost:5000/a/b:tag",
            "quay.io/a/b",
            "a/b-c.d_e",
            "a__b/c--d",
            "[2001:db8::1]:5000/a",
            "a:V_1.x-y",
        ];
        for text in pinned.iter().map(String::as_str).chain(others) {
            assert!(ImageRef::parse(text).is_ok(), "{text}");
        }
    }
}
