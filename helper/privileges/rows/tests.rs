use super::*;

fn found(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut facts = BTreeSet::new();
    let value: Value = yaml::from_text(text).unwrap();
    of_model(&value, folder.path(), &mut facts);
    of_source(&value, folder.path(), &mut facts);
    let shown = |f: &Privilege| format!("{} {}={}", f.service.as_deref().unwrap_or("-"), f.key, f.value);
    facts.iter().map(shown).collect()
}

#[test]
fn each_dangerous_key_of_a_service_is_found() {
    for (said, expected) in [
        ("privileged: true", "privileged=true"),
        ("privileged: 'yes'", "privileged=yes"),
        ("privileged: '${P}'", "privileged=${P}"),
        ("pid: host", "pid=host"),
        ("ipc: host", "ipc=host"),
        ("uts: host", "uts=host"),
        ("cgroup: host", "cgroup=host"),
        ("userns_mode: host", "userns_mode=host"),
        ("pid: 'container:other'", "pid=container:other"),
        ("network_mode: host", "network_mode=host"),
        ("cap_add: [CHOWN, SYS_ADMIN]", "cap_add=SYS_ADMIN"),
        ("cap_add: [all]", "cap_add=all"),
        ("security_opt: ['seccomp:unconfined']", "security_opt=seccomp:unconfined"),
        ("security_opt: [apparmor=unconfined]", "security_opt=apparmor=unconfined"),
        ("security_opt: ['label:disable']", "security_opt=label:disable"),
        ("security_opt: ['seccomp:./open.json']", "security_opt=seccomp:./open.json"),
        ("devices: ['/dev/sda:/dev/sda']", "devices=/dev/sda:/dev/sda"),
        ("devices: [{ source: /dev/kvm, target: /dev/kvm }]", "devices=/dev/kvm"),
        ("gpus: all", "gpus=all"),
        ("gpus: [{ driver: nvidia, count: 1 }]", "gpus=nvidia"),
        (
            "deploy: { resources: { reservations: { devices: [{ driver: cdi, capabilities: [gpu] }] } } }",
            "deploy.resources.reservations.devices=cdi",
        ),
        ("device_cgroup_rules: ['a *:* rwm']", "device_cgroup_rules=a *:* rwm"),
        ("volumes_from: ['container:db']", "volumes_from=container:db"),
        ("use_api_socket: true", "use_api_socket=true"),
        ("network_mode: 'container:db'", "network_mode=container:db"),
        ("cgroup_parent: /", "cgroup_parent=/"),
        ("runtime: nvidia", "runtime=nvidia"),
        ("oom_kill_disable: true", "oom_kill_disable=true"),
        ("oom_score_adj: -1000", "oom_score_adj=-1000"),
        ("credential_spec: { file: /etc/x.json }", "credential_spec.file=/etc/x.json"),
        ("security_opt: ['label=type:spc_t']", "security_opt=label=type:spc_t"),
        ("build: { context: ., cache_to: ['type=local,dest=/srv'] }", "build.cache_to=type=local,dest=/srv"),
        ("build: { context: ., cache_from: ['type=local,src=../x'] }", "build.cache_from=type=local,src=../x"),
        ("volumes: ['/:/host']", "volumes=/"),
        ("volumes: ['/var/run/docker.sock:/var/run/docker.sock:ro']", "volumes=/var/run/docker.sock"),
        ("volumes: ['../up:/x']", "volumes=../up"),
        ("volumes: ['~/.ssh:/x:ro']", "volumes=~/.ssh"),
        ("volumes: ['${W:-/etc}:/x']", "volumes=${W:-/etc}"),
        ("volumes: [{ type: bind, source: /etc, target: /x, read_only: true }]", "volumes=/etc"),
        ("volumes: ['/etc/localtime:/etc/localtime']", "volumes=/etc/localtime"),
        ("provider: { type: model }", "provider.type=model"),
        ("post_start: [{ command: x, privileged: true }]", "post_start.privileged=true"),
        ("build: ..", "build.context=.."),
        ("build: { context: 'https://example.com/a.git' }", "build.context=https://example.com/a.git"),
        ("build: { context: ., dockerfile: ../Dockerfile }", "build.dockerfile=./../Dockerfile"),
        ("build: { context: ., dockerfile: /etc/passwd }", "build.dockerfile=/etc/passwd"),
        ("build: { context: ., privileged: true }", "build.privileged=true"),
        ("build: { context: ., network: host }", "build.network=host"),
        ("build: { context: ., entitlements: [security.insecure] }", "build.entitlements=security.insecure"),
        ("build: { context: ., ssh: [default] }", "build.ssh=default"),
        ("build: { context: ., additional_contexts: { a: ../a } }", "build.additional_contexts=../a"),
        ("build: { context: ., additional_contexts: ['a=/srv'] }", "build.additional_contexts=/srv"),
        ("extends: { file: ../x.yaml, service: y }", "extends.file=../x.yaml"),
        ("env_file: ../x.env", "env_file=../x.env"),
        ("env_file: [{ path: /etc/x.env }]", "env_file=/etc/x.env"),
    ] {
        assert_eq!(found(&format!("services: {{ x: {{ image: i, {said} }} }}")), [format!("x {expected}")], "{said}");
    }
}

#[test]
fn what_a_whole_file_asks_for_is_found() {
    for (said, expected) in [
        ("include: [../x.yaml]", "- include=../x.yaml"),
        ("include: [{ path: [./a.yaml, /b.yaml] }]", "- include.path=/b.yaml"),
        ("include: ['oci://r.example/x']", "- include=oci://r.example/x"),
        ("secrets: { k: { file: ~/.ssh/id } }", "- secrets.k.file=~/.ssh/id"),
        ("configs: { k: { file: /etc/shadow } }", "- configs.k.file=/etc/shadow"),
        ("volumes: { v: { driver_opts: { type: none, o: bind, device: / } } }", "- volumes.v.driver_opts.device=/"),
        (
            "volumes: { v: { driver_opts: { type: none, o: rbind, device: etc } } }",
            "- volumes.v.driver_opts.device=etc",
        ),
        ("volumes: { v: { driver_opts: { type: proc, device: proc } } }", "- volumes.v.driver_opts.type=proc"),
        ("volumes: { v: { driver_opts: { o: 'lowerdir=/etc,ro' } } }", "- volumes.v.driver_opts.o=lowerdir=/etc,ro"),
        ("volumes: { v: { driver: d, driver_opts: { mountpoint: /etc } } }", "- volumes.v.driver_opts.mountpoint=/etc"),
        ("volumes: { v: { external: true } }", "- volumes.v.external=true"),
        ("volumes: { v: { name: other_data } }", "- volumes.v.name=other_data"),
        ("services: { x: { networks: [n] } }\nnetworks: { n: { external: true, name: host } }", "x networks=n"),
        ("services: { x: { image: y } }\nnetworks: { default: { external: true, name: host } }", "x networks=default"),
        ("services: { x: { networks: { host: } } }\nnetworks: { host: { external: true } }", "x networks=host"),
    ] {
        assert_eq!(found(said), [expected], "{said}");
    }
}

#[test]
fn what_stacks_of_this_kind_have_is_not_dangerous() {
    let quiet = "
include: [./more.yaml, { path: a/b.yaml }]
services:
  mcp-gateway:
    image: us-docker.pkg.dev/anthropic-public-registry/images/mcp-proxy@sha256:00
    user: '65532:65532'
    read_only: true
    privileged: false
    cap_drop: [ALL]
    cap_add: [NET_BIND_SERVICE, cap_chown]
    runtime: runsc
    oom_score_adj: 500
    security_opt: [no-new-privileges:true, seccomp:builtin, 'label=level:s0:c1,c2']
    volumes: ['./data:/data:ro', 'cache:/cache', /anonymous, '/etc/localtime:/etc/localtime:ro']
    networks: [default, corp]
    env_file: [./x.env]
  cloudflared: { image: 'cloudflare/cloudflared:2026.3.0@sha256:00', network_mode: host }
  other: { image: 'docker.io/cloudflare/cloudflared', network_mode: 'container:proxy' }
  agent: { image: x, network_mode: 'service:mcp-gateway', pid: 'service:mcp-gateway', ipc: private }
  hello-mcp: { build: { context: ./hello-mcp, dockerfile: Dockerfile, additional_contexts: { i: 'docker-image://i' }, cache_to: ['type=local,dest=./c'] } }
  other-build: { build: ./x }
networks: { corp: { external: true, name: corp } }
volumes:
  cache:
  nfs: { driver_opts: { type: nfs, o: 'addr=10.0.0.1,rw', device: ':/share' } }
  smb: { driver_opts: { type: cifs, o: 'addr=s,vers=3.0', device: '//s/share' } }
  memory: { driver_opts: { type: tmpfs, device: tmpfs, o: 'size=100m,uid=1000' } }
  inside: { driver_opts: { type: none, o: bind, device: ./data } }
secrets: { t: { environment: TUNNEL_TOKEN }, f: { file: ./t } }
";
    assert_eq!(found(quiet), Vec::<String>::new());
    let host = "services: { x: { image: evil/cloudflared, network_mode: host } }";
    assert_eq!(found(host), ["x network_mode=host"]);
    let own = "services: { x: { image: cloudflare/cloudflared, network_mode: host, entrypoint: [/x] } }";
    assert_eq!(found(own), ["x network_mode=host"]);
}
