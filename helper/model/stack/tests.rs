use super::*;

fn stack(text: &str) -> ComposeStack {
    ComposeStack::new(yaml::from_text(text).unwrap(), vec!["/d".into()])
}

#[test]
fn what_a_container_has_at_a_path_is_found_in_all_its_forms() {
    let stack = stack(
        "
services:
  p:
    volumes: ['./conf:/etc/mcp-gateway:ro', './data:/data', './other.pem:/data/tls.crt', 'v:/vol', '.:/all']
    configs: [{ source: c, target: /etc/one.yaml }, two]
    secrets: [s, { source: e, target: t }]
configs: { c: { file: ./config/x.yaml }, two: { content: hello } }
secrets: { s: { file: /d/secrets/s.txt }, e: { environment: E } }
",
    );
    let host = |path: &str| FileIn::Host(path.into());
    for (path, expected) in [
        ("/etc/mcp-gateway/config.yaml", host("conf/config.yaml")),
        ("/data/tls.key", host("data/tls.key")),
        ("/data/tls.crt", host("other.pem")),
        ("/database", FileIn::Image),
        ("/vol/x", FileIn::Volume("v".into())),
        ("/all/a/b", host("a/b")),
        ("/etc/one.yaml", host("config/x.yaml")),
        ("/two", FileIn::Text("hello".into())),
        ("/run/secrets/s", host("secrets/s.txt")),
        ("/run/secrets/t", FileIn::Variable("E".into())),
    ] {
        assert_eq!(stack.file_in("p", path), expected, "{path}");
    }
}

#[test]
fn four_ways_lead_to_the_proxy() {
    let of = |agent: &str| {
        let text = format!(
            "services: {{ p: {{ container_name: pc, ports: ['127.0.0.1:8081:8080'] }}, q: {{ networks: [other] }}, a: {agent} }}"
        );
        stack(&text).reaches("a", "p")
    };
    assert_eq!(of("{ network_mode: 'service:p' }"), Reach::Shared);
    assert_eq!(of("{ network_mode: 'container:pc' }"), Reach::Shared);
    assert_eq!(of("{ network_mode: 'service:q' }"), Reach::Not);
    assert_eq!(of("{ command: tunnel run --url http://p:8080 }"), Reach::Network);
    assert_eq!(of("{ environment: ['TUNNEL_URL=http://pc:8080'] }"), Reach::Network);
    assert_eq!(of("{ command: tunnel run --url http://localhost:8080 }"), Reach::Not);
    assert_eq!(of("{ command: tunnel run --url http://p:8080, networks: [other] }"), Reach::Not);
    assert_eq!(of("{ command: tunnel run --url=http://127.0.0.1:8081, network_mode: host }"), Reach::HostPort);
    assert_eq!(of("{ command: tunnel run --url=http://127.0.0.1:8080, network_mode: host }"), Reach::Not);
    assert_eq!(of("{ command: tunnel run }"), Reach::Not);
    assert_eq!(of("{ command: tunnel run --url http://gw:8080, links: ['p:gw'] }"), Reach::Network);
    assert_eq!(of("{ command: tunnel run --url http://gw:8080, links: ['q:gw'] }"), Reach::Not);
}

#[test]
fn a_fixed_address_is_a_name() {
    let services = "services: { p: { networks: { n: { ipv4_address: 172.30.0.2 } } }, a: { networks: [n], command: tunnel run --url http://172.30.0.2:8080 } }";
    assert_eq!(stack(services).reaches("a", "p"), Reach::Network);
    assert_eq!(stack(&services.replace("//172.30.0.2", "//172.30.0.3")).reaches("a", "p"), Reach::Not);
}

#[test]
fn a_profile_that_is_active_is_started() {
    let of = |active: &str| {
        let stack = stack("services: { a: { profiles: [x, y] }, b: {} }").with_profiles(active);
        (stack.is_started("a"), stack.is_started("b"))
    };
    assert_eq!(of(""), (false, true));
    assert_eq!(of("z, y"), (true, true));
    assert_eq!(of("*"), (true, true));
}

#[test]
fn the_old_and_the_new_name_of_a_network_are_the_networks_own() {
    let stack = stack(
        "
services: { p: { networks: [lan, old, own, off] } }
networks: { lan: { external: true, name: corp }, old: { external: { name: legacy } }, own: , off: { external: false } }
",
    );
    assert_eq!(stack.external_networks("p"), ["corp", "legacy"]);
}

#[test]
fn the_subnets_between_two_services_are_those_of_the_networks_of_both() {
    let stack = stack(
        "
services:
  p: { networks: [default, tunnel, lan] }
  a: { networks: [tunnel] }
  s: {}
  t: { networks: { lan: {}, other: {} } }
networks:
  tunnel: { ipam: { config: [{ subnet: 10.1.0.0/24 }] } }
  lan: { ipam: { config: [{ subnet: 10.2.0.0/24 }, { subnet: 10.3.0.0/24 }] } }
  other: { ipam: { config: [{ subnet: 10.4.0.0/24 }] } }
",
    );
    let between = |one: &str, other: &str| -> Vec<String> {
        stack.subnets_between(one, other).iter().map(ToString::to_string).collect()
    };
    assert_eq!(between("p", "t"), ["10.2.0.0/24", "10.3.0.0/24"]);
    assert_eq!(between("p", "a"), ["10.1.0.0/24"]);
    assert!(between("p", "s").is_empty(), "`default` names none");
}

#[test]
fn flags_are_read_in_all_spellings() {
    let stack = stack(
        "services: { a: { command: tunnel -config /x --url=http://y run --token z }, b: { entrypoint: [/p, -config=/y], command: } }",
    );
    assert_eq!(stack.flag("a", "config").as_deref(), Some("/x"));
    assert_eq!(stack.flag("a", "url").as_deref(), Some("http://y"));
    assert_eq!(stack.flag("a", "token").as_deref(), Some("z"));
    assert_eq!(stack.flag("a", "token-file"), None);
    assert_eq!(stack.flag("b", "config").as_deref(), Some("/y"));
}

#[test]
fn the_last_of_a_repeated_flag_counts() {
    let stack =
        stack("services: { c: { entrypoint: [cloudflared, tunnel, --url=a], command: [run, -url, b, --urls, c] } }");
    assert_eq!(stack.flag("c", "url").as_deref(), Some("b"));
    assert_eq!(stack.flag("c", "protocol"), None);
}
