//! `README.md` of an export: how to move over, the way back, and what comes later.

use super::fill::fill;
use super::scripts::Scripts;
use crate::caller::quote;
use crate::config::stamp::stamp_below;
use crate::export::parts::{ExportState, LeftOut, RouteExport};

pub(super) fn text(scripts: &Scripts<'_>, routes: &[RouteExport], left_out: &[LeftOut]) -> String {
    let sample = "| `sample.yaml` | the sample server: ConfigMap, Deployment, Service; its pod installs the pinned packages from PyPI when it starts |\n";
    let secrets =
        "| `secrets.yaml` | both Secrets, **with the token in plain text**: delete it when `apply.sh` has worked |\n";
    let filled = fill(
        include_str!("guide.md"),
        &[
            ("@SAMPLE@", if scripts.has_sample { sample } else { "" }),
            ("@REMOVE_SAMPLE@", if scripts.has_sample { "kubectl delete -f sample.yaml\n" } else { "" }),
            ("@SECRETS@", if scripts.has_secrets { secrets } else { "" }),
            ("@DOMAIN@", scripts.domain.as_str()),
            ("@ROUTES@", &table(routes)),
            ("@LEFT_OUT@", &list(left_out)),
            ("@DIR@", &quote(scripts.dir.as_os_str())),
        ],
    );
    stamp_below("<!--\n", "", &filled)
}

fn table(routes: &[RouteExport]) -> String {
    let mut text = "| route | upstream here | in the cluster |\n|---|---|---|\n".to_owned();
    for route in routes {
        let state = match route.state {
            ExportState::Carried => "as it is",
            ExportState::NeedsService => "**needs a Service**",
            ExportState::NotPortable => "**not written**",
        };
        let instead = route.instead.as_ref().map(|instead| format!(": {instead}")).unwrap_or_default();
        text.push_str(&format!("| {} | {} | {state}{} |\n", cell(&route.name), cell(&route.upstream), cell(&instead)));
    }
    text
}

fn list(left_out: &[LeftOut]) -> String {
    if left_out.is_empty() {
        return "No other part of this deployment.\n".into();
    }
    left_out.iter().map(|left| format!("- {}\n", cell(&left.line()))).collect()
}

/// Text that breaks no table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}
