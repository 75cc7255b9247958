//! A deployment with a secret in every place that can hold one, and a docker that prints them.

use std::path::PathBuf;

use aho_corasick::AhoCorasick;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{deployment, edit, folder, plain, script, token};

/// A piece of a random secret of this length gives it away.
const PIECE: usize = 12;

/// Random secrets: not a piece of them may show, in no encoding.
const RANDOM: [(&str, &str); 16] = [
    ("env", "Kq3vX8mZ2pLw9Rt4Vb8Nc6Hd1Jf5Gs0A"),
    ("env_quoted", "b7QeYx2Lk9Wd4Tz8Mv1Rn6Jc3Hg5Pf0S"),
    ("env_file", "Xw5Gt1Zc8Nq4Rb7Kd2Vy6Mh9Lp3Jf0TsA"),
    ("env_file_unnamed", "Ud8Rk2Yp6Wm1Qx7Zb4Lt9Cn3Vg5Hj0FeB"),
    ("secret_file", "Hz4Nw9Ek1Tq7Vx3Bm8Rc2Ly6Pd5Gf0JsC"),
    ("config_file", "Mp6Ya2Qr8Lx4Zt1Kv9Wc7Bn3Dg5Hf0JsD"),
    ("compose_map", "Tc1Vb7Xn3Kz9Wq5Lr8My2Pd6Hg4Jf0EsE"),
    ("compose_list", "Ra9Lz3Wx7Kt1Qv5Mc8Yn2Bp6Dg4Hf0JsF"),
    ("compose_flag", "Gy2Xk8Zq4Wt6Lv1Rn9Mc3Bp7Dd5Hf0JsG"),
    ("compose_anchor", "Wv6Kt2Zr8Xq4Ln1Mc9Yb3Pp7Dg5Hf0JsH"),
    ("compose_default", "Lx8Wq2Zt6Kv4Rn1Mb9Yc3Pd7Gg5Hf0JsI"),
    ("compose_label", "Zn4Qw8Xt2Kv6Lr1Mb9Yc3Pd7Gh5Hf0JsJ"),
    ("upstream_login", "Vq2Zx8Wt4Kn6Lr1Mb9Yc3Pd7Gj5Hf0JsK"),
    ("upstream_query", "Nr8Xv2Zq6Wt4Kl1Mb9Yc3Pd7Gk5Hf0JsL"),
    ("shell", "Qt6Zv2Xr8Wn4Kl1Mb9Yc3Pd7Gm5Hf0JsM"),
    ("requirements", "Yb4Xq8Zv2Wt6Kn1Lr9Mc3Pd7Gn5Hf0JsN"),
];

/// What a person made up: it occurs verbatim and as JSON, URLs and base64 write it.
pub(super) const PHRASES: [&str; 3] = ["correct \"horse\" staple", "tr/ub4dor&3 <x>", "geheim-und-lang"];

pub(super) fn secret(name: &str) -> &'static str {
    RANDOM.iter().find(|(known, _)| *known == name).unwrap().1
}

fn hex(text: &str) -> String {
    text.bytes().map(|b| format!("{b:02x}")).collect()
}

pub(super) fn url(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

/// What a program may print of a secret.
fn forms(secret: &str) -> Vec<String> {
    let half = secret.len() / 2;
    vec![
        secret.to_owned(),
        secret[..half + 2].to_owned(),
        secret[half - 2..].to_owned(),
        format!("{}\n{}", &secret[..half], &secret[half..]),
        json!({"said": secret}).to_string(),
        json!({"said": json!({"said": secret}).to_string()}).to_string(),
        url(secret),
        STANDARD.encode(secret),
        STANDARD.encode(format!("user:{secret}")),
        STANDARD.encode(format!("xy {secret} z")),
        hex(secret),
        secret.to_uppercase(),
    ]
}

/// Fails where a secret, or a piece of a random one, is in a text.
pub(super) fn holds_none(text: &str, where_: &str, random: &[String], phrases: &[&str]) {
    let lower = text.to_lowercase();
    let mut pieces: Vec<String> = Vec::new();
    for secret in random {
        let shifted = |front: &str| STANDARD.encode(format!("{front}{secret}"));
        // The first and last letters of base64 hold bits of the neighbours.
        let encoded = ["", "x", "xy"].map(|front| shifted(front)[4..].trim_end_matches('=').to_owned());
        for form in [secret.clone(), hex(secret)].into_iter().chain(encoded) {
            let form = form.to_lowercase();
            pieces.extend((0..=form.len() - PIECE).map(|at| form[at..at + PIECE].to_owned()));
        }
    }
    let pieces = AhoCorasick::new(&pieces).unwrap();
    if let Some(found) = pieces.find(&lower) {
        let around: String =
            lower[..found.end()].chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect();
        panic!("{where_}: `{}` is at the end of …{around}", &lower[found.range()]);
    }
    for phrase in phrases {
        let json = Value::from(*phrase).to_string();
        for form in [(*phrase).to_owned(), json.trim_matches('"').to_owned(), url(phrase), STANDARD.encode(phrase)] {
            assert!(!text.contains(&form), "{where_}: `{form}` is in {text}");
        }
    }
}

/// A deployment with a canary in every place from which the helper reads.
pub(super) struct Cage {
    pub(super) parent: tempfile::TempDir,
    pub(super) dir: PathBuf,
    pub(super) bin: PathBuf,
    pub(super) random: Vec<String>,
}

impl Cage {
    pub(super) fn new() -> Self {
        let parent = folder();
        let dir = deployment(parent.path());
        let write = |inside: &str, text: &str| {
            let path = dir.join(inside);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let mut env = std::fs::read_to_string(dir.join(".env")).unwrap();
        env.push_str(&format!("DB_PASSWORD={}\nSIGNING_KEY=\"{}\"\n", secret("env"), secret("env_quoted")));
        env.push_str("PHRASE_PASSWORD='correct \"horse\" staple'\nSMTP_PASS=\"tr/ub4dor&3 <x>\"\n");
        std::fs::write(dir.join(".env"), env).unwrap();
        let app = format!("APP_SECRET='{}'\nSESSION={}\nTZ=UTC\n", secret("env_file"), secret("env_file_unnamed"));
        write("app/app.env", &app);
        write("app/api.txt", &format!("{}\n", secret("secret_file")));
        write("app/app.ini", &format!("[db]\nhost = db\npassword = {}\n", secret("config_file")));
        let key = std::fs::read_to_string(dir.join("data/ca.key")).unwrap();
        let key_line = key.lines().nth(1).unwrap();
        let file = format!(
            r#"# a note: the key is {key_line}
# DB_PASSWORD was {env} once
x-shared: &shared {{ LICENSE: {anchor} }}
services:
  app:
    image: app:1
    env_file: [./app/app.env]
    secrets: [api]
    configs: [ini]
    environment: {{ <<: *shared, STRIPE_KEY: "{map}", PASSWORD: "${{PASSWORD:-{default}}}", PIN_CODE_PASS: geheim-und-lang }}
    command: ["serve", "--api-key", "{flag}"]
    labels: ["example.license={label}"]
  other:
    image: other:1
    environment: ["OPENAI_KEY={list}", "LOG_LEVEL=debug"]
secrets: {{ api: {{ file: ./app/api.txt }} }}
configs: {{ ini: {{ file: app/app.ini }} }}
"#,
            env = secret("env"),
            anchor = secret("compose_anchor"),
            map = secret("compose_map"),
            default = secret("compose_default"),
            flag = secret("compose_flag"),
            label = secret("compose_label"),
            list = secret("compose_list"),
        );
        write("docker-compose.override.yaml", &file);
        edit(
            &dir.join("config/mcp-gateway.yaml"),
            "routes:",
            &format!(
                "# {}\nroutes:\n  login: http://svc:{}@wiki:80\n  query: http://wiki:80/?k={}",
                secret("env_quoted"),
                secret("upstream_login"),
                secret("upstream_query")
            ),
        );
        let index = format!("\n--extra-index-url https://u:{}@pypi.example/simple\n", secret("requirements"));
        let requirements = std::fs::read_to_string(dir.join("hello-mcp/requirements.txt")).unwrap() + &index;
        std::fs::write(dir.join("hello-mcp/requirements.txt"), requirements).unwrap();
        let compose = std::fs::read_to_string(dir.join("docker-compose.yaml")).unwrap();
        write("docker-compose.yaml", &format!("{compose}# {key_line} {}\n", token("healthy")));
        // A file that is called like a secret, and text behind the certificate.
        write(&format!("data/{}.txt", secret("env")), "x");
        let certificate = std::fs::read_to_string(dir.join("data/ca.crt")).unwrap();
        write("data/ca.crt", &format!("{certificate}{}\n", token("healthy")));
        let bin = parent.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let mut random: Vec<String> = RANDOM.iter().map(|(_, secret)| (*secret).to_owned()).collect();
        random.push(token("healthy"));
        // The private number of a P-256 key in PKCS #8; what precedes it is the same in every key.
        let body: String = key.lines().filter(|line| !line.starts_with('-')).collect();
        random.push(body[50..90].to_owned());
        Self { parent, dir, bin, random }
    }

    /// Everything that a program could print of the secrets, line by line.
    pub(super) fn printed(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for secret in self.random.iter().map(String::as_str).chain(PHRASES) {
            for form in forms(secret) {
                lines.push(form.clone());
                lines.push(format!("{{\"level\":\"ERROR\",\"x\":\"{form}\",\"error\":\"connection refused\"}}"));
                lines.push(format!("{} {form} upstream request failed: connection refused", "u".repeat(560)));
            }
        }
        lines
    }

    /// A `docker` that knows the containers of the stack, and prints secrets wherever it prints anything.
    pub(super) fn docker(&self, project: &str) {
        let printed = self.printed();
        let words = self.parent.path().join("printed");
        std::fs::write(&words, printed.join("\n") + "\n").unwrap();
        let stamped: Vec<String> =
            printed.iter().flat_map(|text| text.lines()).map(|text| format!("2026-11-22T20:45:19.1Z {text}")).collect();
        let log = self.parent.path().join("log");
        std::fs::write(&log, stamped.join("\n") + "\n").unwrap();
        let container = |service: &str, status: &str, number: usize| {
            json!({
                "Id": format!("{number}").repeat(64),
                "Name": format!("/{project}-{service}-1"),
                "State": {
                    "Status": status, "ExitCode": 1, "Error": printed[number * 7], "StartedAt": "2026-11-22T20:45:19.1Z",
                    "FinishedAt": "2026-11-22T20:46:19.1Z",
                    "Health": {"Status": "unhealthy", "Log": [{"Output": printed[number * 11]}]},
                },
                "Args": ["--password", secret("compose_flag")],
                "Config": {
                    "Labels": {
                        "com.docker.compose.project": project,
                        "com.docker.compose.service": service,
                        "com.docker.compose.project.working_dir": self.dir,
                    },
                    "Env": [format!("DB_PASSWORD={}", secret("env"))],
                },
                "HostConfig": {"NetworkMode": "bridge", "RestartPolicy": {"Name": "unless-stopped"}},
            })
        };
        let all = json!([
            container("mcp-gateway", "running", 1),
            container("cloudflared", "exited", 2),
            container("app", "restarting", 3),
        ]);
        let shown = self.parent.path().join("inspect");
        std::fs::write(&shown, all.to_string()).unwrap();
        let ids = ["1", "2", "3"].map(|digit| digit.repeat(64)).join("\n");
        script(
            &self.bin,
            "docker",
            &format!(
                "#!/bin/sh\ncase \"$*\" in\n\"version --format {{{{.Server.Version}}}}\") echo 28.2.2 ;;\n\"compose version --short\") echo 2.40.3 ;;\n\
                 ps\\ *) echo '{ids}' ;;\ninspect\\ *) /bin/cat {} ;;\nlogs\\ *) /bin/cat {} ;;\n*) /bin/cat {} >&2; /bin/cat {}; exit 1 ;;\nesac\n",
                shown.display(),
                log.display(),
                words.display(),
                words.display()
            ),
        );
    }

    /// What a call prints, on both streams.
    pub(super) fn says(&self, args: &[&str], request: &Value) -> String {
        let mut command = plain(self.parent.path());
        command.args(args).arg("--dir").arg(&self.dir).arg("--json").arg(request.to_string());
        command.env("PATH", &self.bin).env("DB_PASSWORD", secret("shell")).env("TUNNEL_TOKEN", token("other"));
        let out = command.output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap() + &String::from_utf8(out.stderr).unwrap();
        let code = serde_json::from_str::<Value>(text.trim()).map(|answer| answer["error"]["code"].clone());
        assert!(code.is_ok_and(|code| code != "internal"), "{args:?}: {text}");
        text
    }
}
