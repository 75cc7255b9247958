//! Which names are names of secrets: passwords, tokens, keys; and which are certainly not.

use super::letters::is_unseen;
use crate::list::list;

/// Anywhere in a name. `HONEYCOMBTEAM` is a header of Honeycomb.
const PARTS: [&str; 20] = list(
    "PASSWORD PASSWD PASSPHRASE PASSCODE PASSWORT KENNWORT CONTRASENA WACHTWOORD CREDS SECRET TOKEN APIKEY \
     ACCESSKEY CREDENTIAL CONNECTIONSTRING CONNSTR UNSEALKEY PRIVATEKEYPEM HONEYCOMBTEAM RECOVERYKEY",
);

/// At the end of a name: also what web frameworks call the cookie of a session, and passwords in other languages.
const ENDINGS: [&str; 36] = list(
    "PASS PASSE PW PWD PRIVATEKEY SECRETKEY ENCRYPTIONKEY SIGNINGKEY MASTERKEY ACCOUNTKEY ADMINKEY JWTKEY \
     LICENSEKEY LICENCEKEY SHAREDKEY DEPLOYKEY HMACKEY PINCODE SEEDPHRASE RECOVERYPHRASE AUTH AUTHKEY AUTHORIZATION \
     COOKIE COOKIES JSESSIONID PHPSESSID ASPNETSESSIONID CONNECTSID SENHA HESLO HASLO SALASANA KODEORD PASSORD \
     PAROLA",
);

/// The same in other letters.
const FOREIGN: [&str; 21] = list(
    "contraseña contrasinal пароль токен секрет hasło lösenord şifre jelszó κωδικός סיסמה \
     密码 密碼 口令 令牌 密钥 パスワード トークン 비밀번호 암호 토큰",
);

/// Last words of a name of several words: `DEPLOY_KEY`, `GH_PAT`; not `monkey`, `COMPAT` or a bare `key:`.
const LAST_WORDS: [&str; 13] = list("KEY KEYS PAT SEED PIN DSN PSK OTP TOTP SALT JWT BEARER MNEMONIC");

/// Whole names.
const WHOLE: [&str; 10] = list("DSN PSK PAT OTP TOTP MNEMONIC BEARER JWT WHSEC TSKEY");

/// Words before `KEY` that make it a key of another kind.
const NOT_SECRET_BEFORE_KEY: [&str; 18] = list(
    "PUBLIC PRIMARY FOREIGN SORT PARTITION CACHE IDEMPOTENCY ROUTING HOT MAP GROUP UNIQUE INDEX ROW SHARD TLS CA \
     SSL",
);

/// Places, kinds and numbers of secrets, and methods of OAuth (RFC 7591).
const NOT_SECRET_ENDINGS: [&str; 21] = list(
    "FILE PATH TYPE COUNT NAME FINGERPRINT SECRETS BYPASS COMPASS LENGTH EXPIRY TTL ENDPOINT SECRETREF \
     EXISTINGSECRET PULLSECRET CREDENTIALSSECRET SECRETPOST SECRETBASIC SECRETJWT KEYJWT",
);

/// Last words of what is set about a secret. A variable of a stack that is called so may hold one all the same.
const ABOUT: [&str; 47] = list(
    "ALG ALGORITHM AT ATTEMPTS DAYS ENABLED ENCRYPTION ENV EXPIRATION EXPIRES FORMAT HASHER HASHERS CLASS HEADER \
     HELPER HELPERS HINT HOURS IN LIMIT MAX METHOD METHODS MIN MINUTES MODE PLUGIN POLICY PREFIX PROMPT PROVIDER \
     LEFT REMAINING REQUIRED SECOND SECONDS SIZE STATE STATUS STDIN STORE SUPPORTED USE USED VALID VERSION",
);

/// Last words of names whose values are never secret.
const HARMLESS_LAST_WORDS: [&str; 48] = list(
    "ADDR ADDRESS ARCH BIND CONCURRENCY CPU CPUS DB DEBUG DIR DIRECTORY DOMAIN ENABLED ENV ENVIRONMENT FILE \
     FINGERPRINT FORMAT GID HOST HOSTNAME INTERVAL LANG LANGUAGE LEVEL LIMIT LOCALE LOGLEVEL MEMORY MODE NAME PATH \
     PORT PROTOCOL REGION REPLICAS RETRIES SHA256 SIZE THREADS TIMEOUT TIMEZONE TRANSPORT TZ UID USER VERSION \
     WORKERS",
);

/// Whole names whose values are never secret.
const HARMLESS: [&str; 10] =
    list("LC_ALL PUID PGID PYTHONUNBUFFERED PYTHONDONTWRITEBYTECODE NO_COLOR TUNNEL_URL TUNNEL_METRICS NO_PROXY CI");

/// The words of a name in capitals: `dbPass`, `db-pass`, `DB_PASS` and `db.pass` are DB and PASS.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut last = ' ';
    for c in name.chars() {
        let begins = c.is_ascii_uppercase() && last.is_ascii_lowercase();
        if (begins || !c.is_alphanumeric()) && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(c.to_ascii_uppercase());
        }
        last = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a variable, a key, a header or a flag is called like something that must not be shown. What cannot be seen in
/// the name is nothing, or replaces a letter.
pub(crate) fn is_secret(name: &str) -> bool {
    if name.contains(is_unseen) {
        return is_secret(&name.replace(is_unseen, "")) || is_nearly_secret(name);
    }
    let words = words(name);
    is_named(&words) && !is_about(&words)
}

/// Whether a name says something about a secret: where it is, which one, how long it is good for.
fn is_about(words: &[String]) -> bool {
    match words {
        [.., before, last] => match last.as_str() {
            "ID" | "IDS" => matches!(before.as_str(), "KEY" | "TOKEN"),
            "URL" | "URI" => matches!(before.as_str(), "TOKEN" | "AUTH"),
            // Those of language models.
            "TOKEN" => {
                matches!(before.as_str(), "EOS" | "BOS" | "PAD" | "UNK" | "SEP" | "CLS" | "MASK" | "STOP" | "SPECIAL")
            }
            last => ABOUT.contains(&last),
        },
        _ => false,
    }
}

fn is_named(words: &[String]) -> bool {
    // `tokenizer` splits texts.
    let whole = words.concat().replace("TOKENIZ", "");
    let counted = whole.ends_with("TOKENS")
        && !["API", "ACCESS", "AUTH", "REFRESH"].iter().any(|kind| whole.ends_with(&format!("{kind}TOKENS")));
    if counted || NOT_SECRET_ENDINGS.iter().any(|ending| whole.ends_with(ending)) {
        return false;
    }
    let last = match words {
        [.., before, last] => LAST_WORDS.contains(&last.as_str()) && !NOT_SECRET_BEFORE_KEY.contains(&before.as_str()),
        [_] | [] => WHOLE.contains(&whole.as_str()),
    };
    last || PARTS.iter().any(|part| whole.contains(part)) || ENDINGS.iter().any(|ending| whole.ends_with(ending))
}

/// Whether what stands in front of a sign is the name of a secret in other letters than those of English.
pub(super) fn is_foreign_secret(front: &str) -> bool {
    let word = front.chars().rev().take(12).collect::<Vec<_>>();
    let word = word.into_iter().rev().collect::<String>().to_lowercase();
    !word.is_ascii() && FOREIGN.iter().chain(&["mật khẩu"]).any(|one| word.ends_with(one))
}

/// What a secret is called by in many places, and much else: how long a value has to be at least that goes because of
/// such a name, if it is drawn by chance.
pub(super) fn weak(name: &str) -> Option<usize> {
    let mut words = words(name);
    // `X-Hub-Signature-256`, `keys_base64`.
    words.pop_if(|last| last.bytes().all(|b| b.is_ascii_digit()) || matches!(last.as_str(), "BASE64" | "B64" | "HEX"));
    let last = words.last()?.to_ascii_lowercase();
    let least = match last.as_str() {
        "pin" => 6,
        // What exim keeps of a login.
        "auth2" | "auth3" => 8,
        "plain" | "plaintext" | "cleartext" => 10,
        "sess" | "pepper" => 12,
        "key" | "sig" | "hmac" | "code" | "assertion" | "sid" | "csrf" | "xsrf" | "salt" | "session" | "resp"
        | "kek" => 16,
        "keys" | "signature" | "verifier" | "samlresponse" | "login" => 24,
        "mac" | "appid" => 32,
        // `Stripe-Signature: t=1,v1=X`, and the private members of a key in JSON (RFC 7517, RFC 7518).
        "v1" | "d" | "p" | "q" | "dp" | "dq" | "qi" | "k" => 40,
        _ => return None,
    };
    let before = words.len().checked_sub(2).map(|at| words[at].as_str());
    let is_other = before.is_some_and(|before| NOT_SECRET_BEFORE_KEY.contains(&before) || last.len() <= 2);
    (!is_other).then_some(least)
}

/// Whether the word of a secret is in a name of which some letters are lost.
fn is_nearly_secret(name: &str) -> bool {
    // Headers of which no word is a secret's come along: `X-Api-Key` is two words here.
    let letters: Vec<char> = name.chars().filter(|c| c.is_alphanumeric() || is_unseen(*c)).collect();
    PARTS.iter().chain(&ENDINGS).chain(&LAST_WORDS).filter(|word| word.len() >= 3).any(|word| {
        letters.windows(word.len()).any(|part| {
            let lost = part.iter().filter(|c| is_unseen(**c)).count();
            let same = |(c, letter): (&char, u8)| is_unseen(*c) || c.eq_ignore_ascii_case(&char::from(letter));
            (1..=word.len() / 3).contains(&lost) && part.iter().zip(word.bytes()).all(same)
        })
    })
}

/// Whether the value of a variable, a build argument or a label says nothing of a secret, as far as its name tells.
/// What a support bundle shows of a stack is on this list, and nothing else is.
pub(crate) fn is_harmless(name: &str) -> bool {
    let words = words(name);
    let ends_harmless = || words.last().is_some_and(|last| HARMLESS_LAST_WORDS.contains(&last.as_str()));
    (HARMLESS.contains(&name) || ends_harmless()) && !is_named(&words)
}
