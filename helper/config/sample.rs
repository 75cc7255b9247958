//! The sample server `hello-mcp`: its files, and the name of the image that is built of them.

use super::images::{ImageRef, SAMPLE_REGISTRY};
use super::stamp::stamp;
use crate::hash::sha256_hex;

pub(crate) const SERVICE: &str = "hello-mcp";
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

pub(crate) fn base_image(dockerfile: &str) -> Option<ImageRef> {
    let from = dockerfile.lines().find_map(|line| line.trim().strip_prefix("FROM "))?;
    ImageRef::parse(from.split_whitespace().next()?).ok()
}

pub(crate) fn with_base(dockerfile: &str, python: &ImageRef) -> String {
    let Some(old) = base_image(dockerfile) else { return dockerfile.to_owned() };
    dockerfile.replacen(&format!("FROM {}", old.as_str()), &format!("FROM {}", python.as_str()), 1)
}

/// Major version of the MCP SDK that a file of the sample is for, edited or not; `None` where it does not say.
/// Version 2 has no `mcp.server.fastmcp`, version 1 no `MCPServer`.
pub(crate) fn sdk_of(inside: &str, text: &str) -> Option<u32> {
    if inside == REQUIREMENTS {
        return text.lines().find_map(pinned_sdk);
    }
    let code = || text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let has = |word| code().any(|line| line.contains(word));
    if has("mcp.server.fastmcp") { Some(1) } else { has("MCPServer").then_some(2) }
}

/// The newest major version of `mcp` that a line of a requirements file allows, where it bounds it.
pub(crate) fn pinned_sdk(line: &str) -> Option<u32> {
    let after = line.trim_start().strip_prefix("mcp")?.trim_start();
    let after = after.strip_prefix('[').and_then(|extras| extras.split_once(']')).map_or(after, |(_, after)| after);
    let clauses = after.split([';', '\\', '#']).next()?.split(',').map(str::trim);
    clauses.filter_map(newest_major).min()
}

/// The newest major version that one clause of a version specifier (PEP 440) allows.
fn newest_major(clause: &str) -> Option<u32> {
    let operator: String = clause.chars().take_while(|c| "=<>~!".contains(*c)).collect();
    let numbers: Vec<&str> = clause[operator.len()..].trim().split('.').collect();
    let major: u32 = numbers.first()?.parse().ok()?;
    match operator.as_str() {
        "==" | "===" | "~=" | "<=" => Some(major),
        "<" if numbers[1..].iter().all(|part| part.parse() == Ok(0)) => major.checked_sub(1),
        "<" => Some(major),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_sample_says_which_sdk_it_is_for() {
        for (line, sdk) in [
            ("mcp==1.30.0 \\", Some(1)),
            ("mcp[cli]==1.9", Some(1)),
            ("mcp [cli] >=1.2, <2 ; python_version > '3'", Some(1)),
            ("mcp<2.0.0", Some(1)),
            ("mcp~=1.2", Some(1)),
            ("mcp<=1.30", Some(1)),
            ("mcp<2.1", Some(2)),
            ("mcp==2.3.0", Some(2)),
            ("mcp>=1.2", None),
            ("mcp", None),
            ("mcp-types==1.0", None),
            ("mcpx==1", None),
            ("# mcp==1.30.0", None),
            ("mcp==", None),
        ] {
            assert_eq!(sdk_of(REQUIREMENTS, &format!("a==1\n{line}\n")), sdk, "{line}");
        }
        assert_eq!(
            sdk_of(SERVER, "# from mcp.server.fastmcp import FastMCP\nimport mcp.server.fastmcp as f\n"),
            Some(1)
        );
        assert_eq!(sdk_of(SERVER, "from fastmcp import FastMCP\n"), None);
        for (inside, text) in files(&ImageRef::known(super::super::images::PYTHON)) {
            assert!(matches!(sdk_of(inside, &text), Some(2) | None), "{inside}");
        }
    }

    #[test]
    fn another_base_is_all_that_changes() {
        let python = |text| ImageRef::parse(text).unwrap();
        let text = "# c\nFROM a:1 AS x\nRUN echo FROM a:1\n";
        assert_eq!(with_base(text, &python("b:2")), "# c\nFROM b:2 AS x\nRUN echo FROM a:1\n");
        assert_eq!(with_base("RUN x\n", &python("b:2")), "RUN x\n");
    }
}
