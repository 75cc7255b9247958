//! The sample server `hello-mcp`: its files, and the name of the image that is built of them.

use super::images::{ImageRef, SAMPLE_REGISTRY};
use super::stamp::stamp;
use crate::hash::sha256_hex;

/// Name of the service.
pub(crate) const SERVICE: &str = "hello-mcp";
/// Name of its route.
pub(crate) const ROUTE: &str = "echo";
/// Where the route leads.
pub(crate) const URL: &str = "http://hello-mcp:9000";

/// The server, mounted into the container.
pub(crate) const SERVER: &str = "hello-mcp/server.py";
/// How its image is built.
pub(crate) const DOCKERFILE: &str = "hello-mcp/Dockerfile";
/// What is installed in it.
pub(crate) const REQUIREMENTS: &str = "hello-mcp/requirements.txt";
/// Keeps everything else out of the build.
pub(crate) const DOCKERIGNORE: &str = "hello-mcp/.dockerignore";

/// What the image is made of, in the order in which it is hashed.
pub(crate) const BUILD_INPUTS: [&str; 3] = [DOCKERFILE, REQUIREMENTS, DOCKERIGNORE];

/// The sample's files as the helper writes them: path inside the directory, content.
pub(crate) fn files(python: &ImageRef) -> [(&'static str, String); 4] {
    let dockerfile = include_str!("sample/Dockerfile").replace("@PYTHON_IMAGE@", python.as_str());
    [
        (SERVER, stamp("", include_str!("sample/server.py"))),
        (DOCKERFILE, stamp("", &dockerfile)),
        (REQUIREMENTS, stamp("", include_str!("sample/requirements.txt"))),
        (DOCKERIGNORE, stamp("", include_str!("sample/dockerignore"))),
    ]
}

/// The base image of a Dockerfile, whoever wrote it.
pub(crate) fn base_image(dockerfile: &str) -> Option<ImageRef> {
    let from = dockerfile.lines().find_map(|line| line.trim().strip_prefix("FROM "))?;
    ImageRef::parse(from.split_whitespace().next()?).ok()
}

/// Name of the sample's image: its tag is a hash of what it is built of, so that Compose, which builds only images
/// that are missing, builds exactly when something changed. The project is part of it: two deployments may come to
/// build different things under one tag, when the files of one are edited.
pub(crate) fn image(project: &str, build_inputs: &[Vec<u8>]) -> String {
    let mut all = Vec::new();
    for input in build_inputs {
        all.extend_from_slice(sha256_hex(input).as_bytes());
    }
    format!("{SAMPLE_REGISTRY}/{project}-{SERVICE}:{}", &sha256_hex(&all)[..12])
}
