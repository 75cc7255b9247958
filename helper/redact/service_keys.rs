//! The keys of well-known services, by how they begin.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::said::is_readable;
use super::text::{Range, continued};

/// How the keys of well-known services begin, in any case of letters, and how many letters follow at least.
const BEGINNINGS: &[(&str, usize)] = &[
    ("sk-ant-", 1),
    ("sk-proj-", 8),
    ("sk-svcacct-", 8),
    ("sk-or-", 8),
    ("sk-", 20),
    ("sk_live_", 8),
    ("sk_test_", 8),
    ("rk_live_", 8),
    ("rk_test_", 8),
    ("whsec_", 8),
    ("ghp_", 1),
    ("gho_", 8),
    ("ghu_", 8),
    ("ghs_", 8),
    ("ghr_", 8),
    ("github_pat_", 1),
    ("glpat-", 1),
    ("gldt-", 8),
    ("glrt-", 8),
    ("glptt-", 8),
    ("glcbt-", 8),
    ("glsoat-", 8),
    ("xoxb-", 8),
    ("xoxp-", 8),
    ("xoxa-", 8),
    ("xoxr-", 8),
    ("xoxs-", 8),
    ("xoxe-", 8),
    ("xoxe.", 8),
    ("xapp-", 8),
    ("akia", 16),
    ("asia", 16),
    ("abia", 16),
    ("acca", 16),
    ("aiza", 30),
    ("ya29.", 8),
    ("gocspx-", 8),
    ("hf_", 20),
    ("api_org_", 20),
    ("pypi-", 16),
    ("npm_", 20),
    ("rubygems_", 20),
    ("dckr_pat_", 8),
    ("dckr_oat_", 8),
    ("dop_v1_", 8),
    ("doo_v1_", 8),
    ("dor_v1_", 8),
    ("shpat_", 8),
    ("shpss_", 8),
    ("shpca_", 8),
    ("shppa_", 8),
    ("sg.", 30),
    ("atatt3", 20),
    ("atctt3", 20),
    ("lin_api_", 8),
    ("ntn_", 20),
    ("figd_", 16),
    ("glsa_", 16),
    ("glc_", 20),
    ("sntrys_", 16),
    ("sntryu_", 16),
    ("hvs.", 16),
    ("hvb.", 16),
    ("hvr.", 16),
    ("tskey-", 8),
    ("pmak-", 16),
    ("pul-", 20),
    ("r8_", 20),
    ("nvapi-", 16),
    ("gsk_", 20),
    ("xai-", 20),
    ("pplx-", 20),
    ("sbp_", 20),
    ("sb_secret_", 8),
    ("dapi", 32),
    ("v1.0-", 32),
    ("age-secret-key-1", 8),
    ("sq0atp-", 16),
    ("sq0csp-", 16),
    ("hooks.slack.com/services/", 8),
    ("hooks.slack.com/workflows/", 8),
    ("hooks.slack.com/triggers/", 8),
    ("discord.com/api/webhooks/", 8),
    ("discordapp.com/api/webhooks/", 8),
    ("webhook.office.com/", 8),
    ("api.telegram.org/bot", 8),
    ("bearer.authorization.k8s.io.", 8),
    ("nrak-", 20),
    ("pat", 75),
    ("sdk-", 36),
    ("nrii-", 20),
    ("xkeysib-", 40),
    ("xsmtpsib-", 40),
    ("shippo_live_", 20),
    ("shippo_test_", 20),
    ("dt0c01.", 24),
    ("dt0s16.", 24),
    ("hrku-", 30),
    ("rdme_", 40),
    ("cfpat-", 40),
    ("duffel_live_", 20),
    ("duffel_test_", 20),
    ("fio-u-", 40),
    ("pscale_tkn_", 20),
    ("pscale_pw_", 20),
    ("pscale_oauth_", 20),
    ("fo1_", 40),
    ("fm1_", 40),
    ("fm2_", 40),
    ("dp.st.", 24),
    ("dp.pt.", 24),
    ("dp.ct.", 24),
    ("lsv2_pt_", 30),
    ("lsv2_sk_", 30),
    ("tvly-", 20),
    ("phx_", 40),
    ("sgp_", 40),
    ("squ_", 40),
    ("sqp_", 40),
    ("sqa_", 40),
    ("bkua_", 40),
    ("ccipat_", 30),
    ("dnkey-", 40),
    ("ory_at_", 30),
    ("ory_rt_", 30),
    ("ory_pat_", 30),
    ("mdb_sa_sk_", 30),
    ("rzp_live_", 14),
    ("rzp_test_", 14),
    ("flwseck-", 20),
    ("flwseck_test-", 20),
    ("swmtkn-1-", 20),
    ("atlasv1.", 40),
    ("gloas-", 40),
    ("glft-", 20),
    ("glimt-", 20),
    ("glagent-", 40),
    ("glffct-", 20),
    ("discord.com/api/v10/webhooks/", 8),
    ("outlook.office.com/webhook/", 8),
    ("logic.azure.com/workflows/", 8),
    ("logic.azure.com:443/workflows/", 8),
    ("hooks.zapier.com/hooks/catch/", 8),
    ("maker.ifttt.com/trigger/", 16),
    ("events.pagerduty.com/integration/", 16),
    ("open-apis/bot/v2/hook/", 16),
    ("cgi-bin/webhook/send?key=", 16),
    ("hc-ping.com/", 16),
    ("-pbkdf2-", 32),
    ("-pbkdf2:sha256-", 32),
    // Keys of letters and digits alone, whose beginnings are words.
    ("key-", 32),
    ("aio_", 24),
    ("ltai", 16),
    ("ezak", 40),
    ("eztk", 40),
    ("atbb", 24),
    ("pnu_", 36),
    ("tfp_", 40),
    ("nfp_", 36),
    ("jina_", 40),
];
/// So many of them, at the end.
const ALPHANUMERIC: usize = 10;

static BEGINNING: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let texts = BEGINNINGS.iter().map(|(text, _)| text);
    // Cheaper to make than a DFA, and most answers are short.
    let builder = &mut AhoCorasick::builder();
    let builder = builder.kind(Some(AhoCorasickKind::ContiguousNFA)).match_kind(MatchKind::LeftmostLongest);
    builder.ascii_case_insensitive(true).build(texts).ok()
});

/// What follows the beginning of a well-known service's key.
pub(super) fn ranges(text: &str) -> Vec<Range> {
    let mut ranges = Vec::new();
    let Some(beginning) = BEGINNING.as_ref() else { return ranges };
    for found in beginning.find_iter(text) {
        let (start, end) = (found.start(), found.end());
        let inside_word = continued(&text[..start]).ends_with(|c: char| c.is_ascii_alphanumeric());
        let (beginning, least) = BEGINNINGS[found.pattern().as_usize()];
        let in_path = beginning.contains('/');
        let alone = found.pattern().as_usize() + ALPHANUMERIC >= BEGINNINGS.len();
        let belongs = |b: u8| {
            b.is_ascii_alphanumeric()
                || !alone && matches!(b, b'_' | b'-' | b'.' | b'+' | b'=')
                || in_path && matches!(b, b'/' | b'@' | b':')
        };
        let run = text.as_bytes()[end..].iter().take_while(|b| belongs(**b)).count();
        // `npm_package_version=1`: what is assigned is not the key.
        let run = text[end..end + run].trim_end_matches(['=', ':']).find('=').unwrap_or(run);
        let run = text[end..end + run].trim_end_matches([':', '.']).len();
        if ranges.last().is_some_and(|(_, last)| start < *last) || inside_word && !in_path || run < least {
            continue;
        }
        // Prose behind `sk-` or `hf_` has no digits.
        let key = &text[end..end + run];
        if least < 16 || key.bytes().any(|b| b.is_ascii_digit()) && !is_readable(key) {
            ranges.push((end, end + run));
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::super::text::replaced;
    use super::*;

    #[test]
    fn keys_of_services_go_and_words_stay() {
        for key in [
            "sk_live_qtYygX0bKRVitGoPZrpulRBP",
            "sk-proj-abcd1234",
            "sk-1234567890abcdefghijklmn",
            "ghp_abc",
            "xoxb-1234567890-abc",
            "AKIA2OGYBAH6STMMNXNN",
            "hf_abcdefghij0123456789",
            "AGE-SECRET-KEY-1EUYKL8F3X88TV6EGFEV2TVSHJPU6C5NLN7PVQXWLTAVVDZU8JFGA9RPHWY",
            "https://hooks.slack.com/services/T000/B000/abcdefgh",
            "key-9f1c2b7de04a5f6388aa0c1d2e3f4051",
            "NRAK-A1B2C3D4E5F6G7H8I9J0K1L2M3N",
            "LTAI5tA1b2C3d4E5f6G7",
            "https://x.webhook.office.com/webhookb2/3f2a@9c3f/IncomingWebhook/8aa0c/7d4e",
            "-pbkdf2-3f1c2b7de04a5f6388aa0c1d2e3f4051aabbccdd",
            "SG.abcdefghijklmnopqrstuv.0123456789abcdefghijklmnop",
        ] {
            let said = format!("x {key} y");
            let clean = replaced(&said, &ranges(&said)).into_owned();
            assert!(clean.ends_with("[redacted] y") && clean.len() < key.len() + 14, "{clean}");
        }
        for text in [
            "task-definitions-are-long-enough",
            "sk-learn",
            "asia-northeast1 asia",
            "/api_org_chart/x",
            "npm_config_registry_of_mine",
            "npm_package_version=1.2.3 npm_lifecycle_script=run-all-the-tests-2",
            "key-manager-deployment-7d9f8b6c5d-x2k4q key-9f1c2b7de04a",
            "aio_pika_connection_pool_2026",
            "shippo_live_tests_are_skipped_2026",
        ] {
            assert_eq!(ranges(text), [], "{text}");
        }
    }
}
