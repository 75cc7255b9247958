//! What Compose says of its files and its command line, in the words of 1.29 to 2.40.

use super::pattern::Tell::Start;
use super::pattern::{Pattern, attempt, fatal};
use crate::rules::RuleId::*;

/// Advice for a volume of another project.
const VOLUME: &str = "create the volume in the evidence (`docker volume create NAME`), or start the stack that owns it, or remove `external: true` from it in the compose file; then run `{helper} up --dir {dir}`";
/// Advice for a name on Compose's command line.
const SERVICE_NAME: &str = "name a service that `docker compose config --services` lists; one that a profile holds back needs `--profile NAME`";

/// The first that fits counts; looked up in front of the engine's own rows.
#[rustfmt::skip]
pub(crate) static COMPOSE: &[Pattern] = &[
    fatal(MountSource, &["external volume \"… not found",
        "olume … declared as external, but could not be found"]).fix(VOLUME),
    fatal(ComposeServiceUndefined, &["no such service: ", "No such service: ",
        "no service selected"]).tells(&[Start]).fix(SERVICE_NAME),
    fatal(ComposeServiceUndefined, &["cannot extend service \"…not found"]),
    fatal(NameConflict, &["container name \"…is already in use by", "container_name…must be unique"]),
    attempt(NameConflict, &["is using the custom container name"]),
    fatal(ComposeYamlInvalid, &["invalid hostPort: ", "invalid containerPort: "]),
    fatal(ComposeYamlInvalid, &["invalid IP address: ", "invalid proto: ", "invalid range format for ",
        "invalid spec: "]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["invalid interpolation format for "]),
    fatal(ComposeYamlInvalid, &["invalid project name", "project name must not be empty", "empty compose file",
        "dependency cycle detected"]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["refers to undefined "]),
    fatal(ComposeYamlInvalid, &["undefined volume ", "undefined network ", "include \"…\" not found",
        "services.… duplicate mount point", "services.…: too many colons", "services.… must be a ",
        "services.… is not one of", "services.…: unexpected type ", "services must be a "]).tells(&[Start]),
    fatal(DependencyFailed, &["container … exited ("]).tells(&[Start]),
];
