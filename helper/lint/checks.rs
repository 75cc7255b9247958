//! The checks of a deployment's files: one row each.

use super::facts::Facts;
use super::{directory, listens, proxy, reach, refused, routes, served, stack};
use crate::check::{self, Check, Verdict};
use crate::rules::RuleId;

/// In no order that matters.
pub(crate) const CHECKS: &[Check<Facts>] = &[
    Check { id: "directory-open", test: directory::is_closed },
    Check { id: "compose-env-invalid", test: directory::env_is_readable },
    Check { id: "env-missing", test: directory::env_is_there },
    Check { id: "env-readable", test: directory::env_is_closed },
    Check { id: "git-not-ignored", test: directory::secrets_stay_out_of_git },
    Check { id: "key-readable", test: directory::keys_are_closed },
    Check { id: "mount-missing", test: directory::mounts_are_there },
    Check { id: "compose-yaml-invalid", test: stack::files_are_readable },
    Check { id: "compose-config-invalid", test: refused::compose_takes_them },
    Check { id: "compose-name-invalid", test: stack::names_are_names },
    Check { id: RuleId::ProxyMissing.as_str(), test: stack::proxy_is_there },
    Check { id: "compose-service-undefined", test: stack::services_are_there },
    Check { id: "network-mode-missing", test: reach::agent_reaches_proxy },
    Check { id: "compose-netmode-conflict", test: reach::namespace_is_one },
    Check { id: "depends-on-plain", test: reach::restarts_go_together },
    Check { id: "no-ingress-url", test: reach::proxy_is_dialled },
    Check { id: "compose-privileges", test: stack::privileges_are_wanted },
    Check { id: "cloudflared-usage", test: reach::agent_is_told_what_it_knows },
    Check { id: "quick-tunnel", test: reach::tunnel_is_named },
    Check { id: "compose-profile-inactive", test: reach::tunnel_is_started },
    Check { id: "replicas-zero", test: reach::tunnel_has_containers },
    Check { id: "network-internal", test: reach::agent_gets_out },
    Check { id: "listen-loopback", test: reach::proxy_listens_where_it_is_dialled },
    Check { id: "proxy-name-shared", test: reach::proxys_name_is_its_own },
    Check { id: "namespace-shared", test: reach::hardened_is_separate },
    Check { id: "variable-of-shell", test: stack::variables_stay },
    Check { id: "token-missing", test: stack::token_is_there },
    Check { id: "token-in-clear", test: stack::token_is_hidden },
    Check { id: "ports-published", test: stack::ports_stay_closed },
    Check { id: "image-unpinned", test: stack::images_are_pinned },
    Check { id: "mcp-sdk-v2", test: stack::packages_are_bounded },
    Check { id: "proxy-config-yaml", test: proxy::config_is_sound },
    Check { id: "proxy-config-tls", test: proxy::pair_is_named },
    Check { id: "proxy-config-conflict", test: proxy::settings_agree },
    Check { id: "proxy-config-key", test: proxy::keys_are_in_place },
    Check { id: "listen-addr-invalid", test: proxy::listens_somewhere },
    Check { id: "domain-malformed", test: proxy::domains_are_domains },
    Check { id: "domain-mismatch", test: proxy::domains_agree },
    Check { id: "proxy-key-denied", test: proxy::user_reads_its_files },
    Check { id: "tls-bad-cert", test: proxy::certificates_are_sound },
    Check { id: "upstream-undefined", test: routes::lead_somewhere },
    Check { id: "route-loop", test: routes::do_not_lead_back },
    Check { id: "upstream-network", test: routes::share_a_network },
    Check { id: "upstream-down", test: routes::servers_are_started },
    Check { id: "upstream-host-port", test: routes::name_the_containers_port },
    Check { id: "upstream-unverified", test: listens::where_they_are_dialled },
    Check { id: "upstream-host-rejected", test: served::answers_to_the_tunnel },
    Check { id: "mcp-v1-run", test: served::passes_its_address_where_it_is_taken },
    Check { id: "upstream-sessions-split", test: served::keeps_its_sessions_together },
    Check { id: "upstream-script-missing", test: served::scripts_can_be_run },
    Check { id: "upstream-host-unmapped", test: routes::host_is_known },
    Check { id: "allowed-ips-open", test: routes::own_network_is_allowed },
    Check { id: "upstream-tls", test: routes::upstream_trust_is_there },
];

pub(crate) fn judge(facts: &Facts) -> Verdict {
    check::run(CHECKS, facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RULES;

    #[test]
    fn a_check_is_called_as_what_it_finds() {
        for check in CHECKS {
            assert!(RULES.iter().any(|rule| rule.id.as_str() == check.id), "{}", check.id);
            assert_eq!(CHECKS.iter().filter(|other| other.id == check.id).count(), 1, "{}", check.id);
        }
    }
}
