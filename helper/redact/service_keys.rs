//! The keys of well-known services, by how they begin.

use std::sync::LazyLock;

use super::said::is_readable;
use super::text::{Range, continued};

/// How the keys of well-known services begin, in any case of letters, and how many letters follow at least.
const BEGINNINGS: &[(usize, &str)] = &[
    (1, "sk-ant- ghp_ github_pat_ glpat-"),
    (
        8,
        "sk-proj- sk-svcacct- sk-or- sk_live_ sk_test_ rk_live_ rk_test_ whsec_ gho_ ghu_ ghs_ ghr_ gldt- glrt- \
         glptt- glcbt- glsoat- xoxb- xoxp- xoxa- xoxr- xoxs- xoxe- xoxe. xapp- ya29. gocspx- dckr_pat_ \
         dckr_oat_ dop_v1_ doo_v1_ dor_v1_ shpat_ shpss_ shpca_ shppa_ lin_api_ tskey- sb_secret_ \
         age-secret-key-1 hooks.slack.com/services/ hooks.slack.com/workflows/ hooks.slack.com/triggers/ \
         discord.com/api/webhooks/ discordapp.com/api/webhooks/ webhook.office.com/ api.telegram.org/bot \
         bearer.authorization.k8s.io. discord.com/api/v10/webhooks/ outlook.office.com/webhook/ \
         logic.azure.com/workflows/ logic.azure.com:443/workflows/ hooks.zapier.com/hooks/catch/",
    ),
    (14, "rzp_live_ rzp_test_"),
    (
        16,
        "akia asia abia acca pypi- figd_ glsa_ sntrys_ sntryu_ hvs. hvb. hvr. pmak- nvapi- sq0atp- sq0csp- \
         maker.ifttt.com/trigger/ events.pagerduty.com/integration/ open-apis/bot/v2/hook/ \
         cgi-bin/webhook/send?key= hc-ping.com/",
    ),
    (
        20,
        "sk- hf_ api_org_ npm_ rubygems_ atatt3 atctt3 ntn_ glc_ pul- r8_ gsk_ xai- pplx- sbp_ nrak- nrii- \
         shippo_live_ shippo_test_ duffel_live_ duffel_test_ pscale_tkn_ pscale_pw_ pscale_oauth_ tvly- \
         flwseck- flwseck_test- swmtkn-1- glft- glimt- glffct-",
    ),
    (24, "dt0c01. dt0s16. dp.st. dp.pt. dp.ct."),
    (30, "aiza sg. hrku- lsv2_pt_ lsv2_sk_ ccipat_ ory_at_ ory_rt_ ory_pat_ mdb_sa_sk_"),
    (32, "dapi v1.0- -pbkdf2- -pbkdf2:sha256-"),
    (36, "sdk-"),
    (
        40,
        "xkeysib- xsmtpsib- rdme_ cfpat- fio-u- fo1_ fm1_ fm2_ phx_ sgp_ squ_ sqp_ sqa_ bkua_ dnkey- atlasv1. \
         gloas- glagent-",
    ),
    (75, "pat"),
];
/// The same of keys of letters and digits alone, whose beginnings are words.
const ALPHANUMERIC: &[(usize, &str)] =
    &[(16, "ltai"), (24, "aio_ atbb"), (32, "key-"), (36, "pnu_ nfp_"), (40, "ezak eztk tfp_ jina_")];

struct Beginning {
    text: &'static str,
    least: usize,
    alphanumeric: bool,
}

/// All of them by first byte: an automaton takes longer to make than most texts to search.
static BY_FIRST: LazyLock<[Vec<Beginning>; 256]> = LazyLock::new(|| {
    let mut all = [const { Vec::new() }; 256];
    for (rows, alphanumeric) in [(BEGINNINGS, false), (ALPHANUMERIC, true)] {
        for &(least, texts) in rows {
            for text in texts.split(' ') {
                all[usize::from(text.as_bytes()[0])].push(Beginning { text, least, alphanumeric });
            }
        }
    }
    all
});

/// The longest one with which a text begins.
fn beginning(text: &[u8]) -> Option<&'static Beginning> {
    let begins = |with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()));
    let all = BY_FIRST[usize::from(text.first()?.to_ascii_lowercase())].iter();
    all.filter(|one| begins(one.text)).max_by_key(|one| one.text.len())
}

/// What follows the beginning of a well-known service's key.
pub(super) fn ranges(text: &str) -> Vec<Range> {
    let mut ranges = Vec::new();
    let mut end = 0;
    while end < text.len() {
        let start = end;
        let Some(&Beginning { text: beginning, least, alphanumeric }) = beginning(&text.as_bytes()[start..]) else {
            end += 1;
            continue;
        };
        end += beginning.len();
        let inside_word = continued(&text[..start]).ends_with(|c: char| c.is_ascii_alphanumeric());
        let in_path = beginning.contains('/');
        let belongs = |b: u8| {
            b.is_ascii_alphanumeric()
                || !alphanumeric && matches!(b, b'_' | b'-' | b'.' | b'+' | b'=')
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
