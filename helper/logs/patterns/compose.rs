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
    fatal(MountSource, &["external volume \"", " not found"]).fix(VOLUME),
    fatal(MountSource, &["olume ", " declared as external, but could not be found"]).fix(VOLUME),
    fatal(ComposeServiceUndefined, &["no such service: "]).tells(&[Start]).fix(SERVICE_NAME),
    fatal(ComposeServiceUndefined, &["No such service: "]).tells(&[Start]).fix(SERVICE_NAME),
    fatal(ComposeServiceUndefined, &["no service selected"]).tells(&[Start]).fix(SERVICE_NAME),
    fatal(ComposeServiceUndefined, &["cannot extend service \"", "not found"]),
    fatal(NameConflict, &["container name \"", "is already in use by"]),
    fatal(NameConflict, &["container_name", "must be unique"]),
    attempt(NameConflict, &["is using the custom container name"]),
    fatal(ComposeYamlInvalid, &["invalid hostPort: "]),
    fatal(ComposeYamlInvalid, &["invalid containerPort: "]),
    fatal(ComposeYamlInvalid, &["invalid IP address: "]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["invalid proto: "]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["invalid range format for "]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["invalid spec: "]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["invalid interpolation format for "]),
    fatal(ComposeYamlInvalid, &["invalid project name"]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["project name must not be empty"]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["empty compose file"]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["dependency cycle detected"]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["refers to undefined "]),
    fatal(ComposeYamlInvalid, &["undefined volume "]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["undefined network "]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["include \"", "\" not found"]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["services.", " duplicate mount point"]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["services.", ": too many colons"]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["services.", " must be a "]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["services.", " is not one of"]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["services.", ": unexpected type "]).tells(&[Start]),
    fatal(ComposeYamlInvalid, &["services must be a "]).tells(&[Start]),
    fatal(DependencyFailed, &["container ", " exited ("]).tells(&[Start]),
];
