use super::*;

/// A directory with these files, read.
fn found(files: &[(&str, &str)]) -> Found {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    Found::read(&Deployment::at(folder.path()))
}

const QUICKSTART: &str = "
services:
  mcp-proxy:
    image: us-docker.pkg.dev/x/mcp-proxy@sha256:0
    volumes: ['./config/mcp-proxy.yaml:/etc/mcp-gateway/config.yaml:ro', './data:/data:ro']
  tunnel:
    image: cloudflare/cloudflared:2026.3.0
    network_mode: 'service:mcp-proxy'
  hello:
    image: x
    networks: { default: { aliases: [greeter] } }
";

#[test]
fn the_quickstart_is_understood() {
    let found = found(&[("docker-compose.yaml", QUICKSTART)]);
    let services = found.services();
    assert_eq!((services.proxy.as_str(), services.cloudflared.as_str()), ("mcp-proxy", "tunnel"));
    assert_eq!(found.service_named("greeter").as_deref(), Some("hello"));
    assert_eq!(found.service_named("stranger"), None);
}

#[test]
fn a_wrong_network_mode_makes_no_proxy() {
    for wrong in [
        QUICKSTART.replace("service:mcp-proxy", "service:hello"),
        QUICKSTART.replace("    network_mode: 'service:mcp-proxy'\n", ""),
    ] {
        assert_eq!(found(&[("docker-compose.yaml", &wrong)]).services().proxy, "mcp-proxy");
    }
}

#[test]
fn the_override_wins_and_adds() {
    let over = "services: { own: { image: y }, tunnel: { image: z/cloudflared } }";
    let found = found(&[("compose.yaml", QUICKSTART), ("compose.override.yml", over), ("docker-compose.yml", "a: 1")]);
    assert_eq!(found.service_named("own").as_deref(), Some("own"));
    assert_eq!(found.text("tunnel", "image").as_deref(), Some("z/cloudflared"));
    assert_eq!(found.shadowed, ["docker-compose.yml"]);
}

#[test]
fn other_files_and_variables_are_filled_in() {
    let main = "
include: [more.yaml, { path: [../elsewhere.yaml] }]
services:
  tunnel:
    extends: { file: base.yaml, service: agent }
    environment: [TUNNEL_TOKEN, 'URL=${HOST:-h}:${PORT}', UNSET]
    env_file: [a.env, { path: none.env, required: false }, needed.env]
";
    let found = found(&[
        ("docker-compose.yaml", main),
        ("more.yaml", "services: { hello: { image: x } }"),
        ("base.yaml", "services: { agent: { image: cloudflare/cloudflared, command: tunnel run } }"),
        (".env", "TUNNEL_TOKEN=t\nPORT=80\n"),
        ("a.env", "URL=lost\nMORE=1\n"),
    ]);
    assert_eq!(found.service_names().into_iter().collect::<Vec<_>>(), ["hello", "tunnel"]);
    assert_eq!(found.command("tunnel"), ["tunnel", "run"]);
    assert_eq!(found.variable("tunnel", "TUNNEL_TOKEN").as_deref(), Some("t"));
    assert_eq!(found.variable("tunnel", "URL").as_deref(), Some("h:80"));
    assert_eq!(found.variable("tunnel", "MORE").as_deref(), Some("1"));
    assert_eq!(found.environment("tunnel").get("UNSET"), Some(&None));
    assert_eq!(found.outside, ["../elsewhere.yaml"]);
    assert!(found.includes_others() && found.is_known());
}

#[test]
fn one_broken_file_leaves_the_others() {
    let found = found(&[("docker-compose.yaml", QUICKSTART), ("docker-compose.override.yaml", "services: [")]);
    assert!(matches!(found.over.as_ref().unwrap().value, Err(sources::Unusable::Yaml(_))));
    assert_eq!(found.services().cloudflared, "tunnel");
    assert!(!found.is_known());
}
