//! Starts and stops of the rendered stack, and what it may meet on the host.

use serde_json::{Value, json};

use super::{chmod, container, quickstart, route, seconds};
use crate::support::engine::{PROXY, Removed, Stack, docker_says, engine, images, ready, unique, until};
use crate::support::{folder, helper, snapshot, token};

#[test]
fn engine_starts_to_ready_and_down_leaves_nothing() {
    let Some(engine) = engine("start to ready") else { return };
    let stack = Stack::small(engine, "start", "healthy");

    let stopped = stack.status().expect(0);
    assert_eq!(stopped.findings(), ["stack-stopped"]);
    assert_eq!(stopped.data()["ready"], false);

    let up = stack.up_ready();
    let data = up.data();
    assert_eq!(data["project"], stack.project.as_str());
    assert_eq!((&data["connections"]["registered"], &data["connections"]["wanted"]), (&json!(4), &json!(4)));
    assert_eq!(data["protocol"], "quic");
    assert_eq!(
        data["routes"],
        json!([{"name": "own", "upstream": "http://own:9000", "configured": true, "upstream_up": true,
                "url": format!("https://own.{}/mcp", stack.domain), "state": "callable",
                "server": {"name": "this is own", "version": "1", "protocol": "2026-07-28", "transport": "discover",
                           "tools": 1}}])
    );
    assert_eq!((&data["calls"]["total"], &data["calls"]["errors"]), (&json!(0), &json!(0)));
    for service in ["cloudflared", "mcp-gateway", "own"] {
        let container = container(&up, service);
        assert_eq!((&container["state"], &container["restarts"]), (&json!("running"), &json!(0)), "{container}");
        assert!(container["up_seconds"].is_u64(), "{container}");
    }
    assert_eq!(container(&up, "own")["health"], Value::Null, "it has no health check");
    // The fourth connection is two seconds behind the first.
    assert!((2..60).contains(&seconds(&up)), "{data}");
    assert!(up.length < 4096, "{} bytes", up.length);
    // Only the stand-ins have no digest.
    assert_eq!(up.findings(), ["image-unpinned"]);
    assert!(up.json["next"][0]["command"].as_str().unwrap().contains(" connect "), "{:#}", up.json);

    let (answered, text) = stack.ask("own");
    assert!(answered && text.contains(&format!("this is own\nHost: own.{}", stack.domain)), "{text}");

    let services = ["cloudflared", "mcp-gateway", "own"];
    let before = stack.ids(services);
    let again = stack.up_ready();
    assert!(seconds(&again) < 10, "{}", again.data());
    assert_eq!(stack.ids(services), before);
    let status = ready(stack.status());
    assert_eq!((&status.data()["connections"]["registered"], status.findings()), (&json!(4), vec![]));

    // Each process runs as 65532, so that what only the person may read stays the person's.
    for service in ["cloudflared", "mcp-gateway"] {
        assert_eq!(stack.inspect(service)["Config"]["User"], "65532:65532");
        assert_eq!(stack.inspect(service)["HostConfig"]["CapDrop"], json!(["ALL"]));
        assert_eq!(stack.inspect(service)["HostConfig"]["RestartPolicy"]["Name"], "unless-stopped");
    }
    let (read, text) = stack.probe("mcp-gateway", &["cat", "/data/ca.key"]);
    assert!(!read && text.contains("permission denied"), "{text}");
    assert!(stack.probe("mcp-gateway", &["cat", "/data/tls.key"]).0, "the proxy reads its key");
    stack.assert_no_token();

    let down = stack.call(["down"]).changes_nothing().run().expect(0);
    assert_eq!(down.data()["stopped"], json!(["cloudflared", "mcp-gateway", "own"]));
    assert_eq!((stack.containers(), stack.networks()), (vec![], vec![]));
    assert_eq!(stack.status().findings(), ["stack-stopped"]);
    let nothing = stack.down().expect(0);
    assert_eq!(nothing.data()["stopped"], json!([]));
}

#[test]
fn engine_slow_edge_is_waited_for_unless_told_not_to() {
    let Some(engine) = engine("edge: slow") else { return };
    let stack = Stack::small(engine, "edgeslow", "slow");
    let up = stack.up(0);
    assert_eq!(up.data()["ready"], false, "{:#}", up.json);
    assert!(seconds(&up) < 6, "{}", up.data());
    assert_eq!(stack.containers().len(), 3);
    let up = stack.up_ready();
    assert_eq!(up.data()["connections"]["registered"], 4);
    assert!(seconds(&up) >= 3, "{}", up.data());
}

#[test]
fn engine_many_calls_at_once_start_one_stack() {
    let Some(engine) = engine("many calls at once") else { return };
    let stack = Stack::small(engine, "many", "healthy");
    let number = if crate::support::is_long() { 50 } else { 12 };
    let before = crate::support::engine::now();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let call = || stack.call(["up"]).json(json!({"wait_seconds": 60})).run();
        let threads: Vec<_> = (0..number).map(|_| scope.spawn(call)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (started, busy): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.code == 0);
    assert!(!started.is_empty());
    for answer in started {
        ready(answer);
    }
    // Who has waited for long is told for whom.
    for answer in busy {
        assert_eq!((answer.code, &answer.json["error"]["code"]), (2, &json!("busy")), "{:#}", answer.json);
    }
    assert_eq!((stack.containers().len(), stack.networks().len()), (3, 1));
    assert_eq!(stack.created_since(before), 3, "no container was made twice");
    let services = ["cloudflared", "mcp-gateway", "own"];
    let ids = stack.ids(services);
    stack.up_ready();
    assert_eq!(stack.ids(services), ids);
    assert!(stack.ask("own").0);
    stack.assert_no_token();
}

#[test]
fn engine_joined_network() {
    let Some(engine) = engine("joined network") else { return };
    let (network, server) = (unique("mcp-tunnels-test-net"), unique("mcp-tunnels-test-server"));
    // In the order in which they can be removed.
    let _network = Removed("network", network.clone());
    let _server = Removed("container", server.clone());
    let settings = json!({"routes": {"far": format!("http://{server}:9000")}, "networks": [network]});
    let stack = Stack::new(engine, "joined", settings, "healthy");

    let missing = stack.up(60).expect(1);
    let finding = missing.finding("network-missing");
    assert!(finding["evidence"].to_string().contains(&network), "{finding}");

    docker_says(["network", "create", &network]);
    let absent = stack.up(5).expect(1);
    absent.finding("upstream-undefined");

    let program = ["--entrypoint", "/usr/local/bin/probe", PROXY, "serve", ":9000", "from afar"];
    docker_says(["run", "--detach", "--name", &server, "--network", &network].into_iter().chain(program));
    let up = stack.up_ready();
    assert_eq!(route(&up, "far")["upstream_up"], true);
    assert!(stack.ask("far").1.contains("from afar"));

    docker_says(["stop", &server]);
    let status = stack.status().expect(1);
    assert!(status.evidence("upstream-down").contains(&server), "{:#}", status.json);
    stack.assert_no_token();
    // The network is the person's: `down` leaves it, the stack's containers leave the network.
    stack.down().expect(0);
    docker_says(["network", "inspect", &network]);
}

#[test]
fn engine_what_docker_does_not_show_is_asked_not_assumed() {
    let Some(engine) = engine("upstreams outside") else { return };
    // A port of this host that was free a moment ago.
    let port = std::net::TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
    let routes = json!({"host": format!("http://host.docker.internal:{port}")});
    let stack = Stack::new(engine, "outside", json!({"routes": routes}), "healthy");
    let up = stack.up(30).expect(1);
    assert_eq!(up.data()["ready"], false);
    assert_eq!(
        (&route(&up, "host")["configured"], &route(&up, "host")["state"]),
        (&json!(true), &json!("unreachable"))
    );
    up.finding("upstream-refused");
    // Where it is not asked, it is not assumed either.
    let status = stack.call(["status"]).json(json!({"probe": false})).run().expect(0);
    assert_eq!((&status.data()["ready"], &route(&status, "host")["state"]), (&Value::Null, &json!("not-checked")));
    assert!(status.json["skipped"].to_string().contains("upstream:host"), "{}", status.json);
    let hosts = stack.inspect("mcp-gateway")["HostConfig"]["ExtraHosts"].to_string();
    assert!(hosts.contains("host.docker.internal"), "{hosts}");
}

#[test]
fn engine_a_shells_variables_change_nothing() {
    let Some(engine) = engine("variables of the shell") else { return };
    let stack = Stack::small(engine, "shell", "right");
    let stale = token("stale");
    let elsewhere = folder();
    std::fs::write(elsewhere.path().join("wrong.yaml"), "services: { wrong: { image: wrong } }\n").unwrap();
    std::fs::write(elsewhere.path().join("wrong.env"), format!("TUNNEL_TOKEN={stale}\n")).unwrap();
    let call = |word: &str| {
        stack
            .call([word])
            .secret(&stale)
            .env("TUNNEL_TOKEN", &stale)
            .env("TUNNEL_DOMAIN", "wrong.example.org")
            .env("MCP_TUNNEL_CONFIG_SHA256", "wrong")
            .env("MCP_TUNNEL_TOKEN_FINGERPRINT", "wrong")
            .env("COMPOSE_FILE", elsewhere.path().join("wrong.yaml"))
            .env("COMPOSE_ENV_FILES", elsewhere.path().join("wrong.env"))
            .env("COMPOSE_PROJECT_NAME", "wrong")
            .env("COMPOSE_PROFILES", "wrong")
            .cwd(elsewhere.path())
    };
    let up = ready(call("up").json(json!({"wait_seconds": 60})).run());
    assert_eq!(up.data()["project"], stack.project.as_str());
    assert!(up.findings().contains(&"token-shadowed"), "{:?}", up.findings());
    assert!(stack.runs_with("right"));
    let before = stack.ids(["cloudflared", "mcp-gateway", "own"]);
    // A later call from a clean shell finds nothing to change.
    stack.up_ready();
    assert_eq!(stack.ids(["cloudflared", "mcp-gateway", "own"]), before);
    ready(call("restart").json(json!({"wait_seconds": 60})).run());
    assert!(stack.runs_with("right"));
    ready(call("status").run());
    call("down").run().expect(0);
    assert_eq!(stack.containers(), Vec::<String>::new());
}

#[test]
fn engine_an_image_that_cannot_be_pulled() {
    let Some(engine) = engine("an image that cannot be pulled") else { return };
    let stack = Stack::small(engine, "pull", "healthy");
    stack.up_ready();
    let before = stack.ids(["cloudflared", "mcp-gateway", "own"]);
    // No server listens there.
    stack.edit("docker-compose.override.yaml", PROXY, "localhost:1/nobody/own:1");
    let up = stack.up(240).expect(1);
    assert_eq!(up.findings()[0], "registry-unreachable", "{:#}", up.json);
    assert!(seconds(&up) < 60, "{}", up.data());
    assert_eq!(stack.ids(["cloudflared", "mcp-gateway", "own"]), before, "what runs keeps running");
    assert!(stack.ask("own").0);
    stack.assert_no_token();
}

#[test]
fn engine_a_stack_made_by_hand_is_understood() {
    let Some(engine) = engine("a stack made by hand") else { return };
    let parent = folder();
    // Without a name in the file, the folder's is the project's.
    let dir = parent.path().join(unique("byhand"));
    let mut stack = Stack::unmade(engine, &dir, "byhand");
    stack.project = unique("byhand");
    let made = parent.path().join("made");
    let settings = json!({"domain": stack.domain, "routes": {"echo": "http://hello:9000"}, "images": images()});
    helper(["init"]).dir(&made).json(settings).run().expect(0);
    std::fs::create_dir(&dir).unwrap();
    std::fs::create_dir(dir.join("config")).unwrap();
    std::fs::rename(made.join("data"), dir.join("data")).unwrap();
    std::fs::copy(made.join("config/mcp-gateway.yaml"), dir.join("config/mcp-proxy.yaml")).unwrap();
    let compose = quickstart().replace("    environment:\n", "    depends_on: [mcp-proxy]\n    environment:\n");
    stack.write("docker-compose.yml", &compose);
    stack.write(".env", &format!("TUNNEL_TOKEN={}\n", token("healthy")));
    chmod(&stack, ".env", 0o600);
    stack.remember(token("healthy"));
    let files = snapshot(&dir);

    stack.compose_ok(&["up", "-d"]);
    let status = ready(stack.status_within(60));
    assert_eq!(status.data()["project"], stack.project.as_str());
    assert_eq!(
        (&status.data()["connections"]["registered"], &route(&status, "echo")["configured"]),
        (&json!(4), &json!(true))
    );
    assert_eq!(route(&status, "echo")["upstream_up"], true);
    assert_eq!(container(&status, "mcp-proxy")["state"], "running");

    // Its `depends_on` keeps Compose from restarting cloudflared with the proxy; the helper does it.
    let stale = token("stale");
    let restart = stack.call(["restart"]).secret(&stale).env("TUNNEL_TOKEN", &stale);
    let restart = ready(restart.json(json!({"wait_seconds": 60})).run());
    assert_eq!(restart.data()["connections"]["registered"], 4);
    let (answered, text) = stack.ask("echo");
    assert!(answered && text.contains("hello by hand"), "{text}");
    let environment = stack.inspect("cloudflared")["Config"]["Env"].to_string();
    assert!(environment.contains(&token("healthy")), "the token in the container is not the one in .env");

    // An orphan is an orphan, also by hand.
    stack.kill("mcp-proxy");
    stack.status().expect(1).finding("proxy-netns-orphaned");
    stack.restart_ready();
    stack.edit(
        "config/mcp-proxy.yaml",
        "  echo: http://hello:9000",
        "  echo: http://hello:9000\n  two: http://hello:9000",
    );
    let edited = stack.restart_ready();
    assert_eq!(route(&edited, "two")["configured"], true);
    assert!(stack.ask("two").0);
    stack.edit("config/mcp-proxy.yaml", "\n  two: http://hello:9000", "");

    // A new token, put in by hand.
    stack.edit(".env", &token("healthy"), &token("changed"));
    stack.remember(token("changed"));
    stack.restart_ready();
    let environment = stack.inspect("cloudflared")["Config"]["Env"].to_string();
    assert!(environment.contains(&token("changed")), "the new token is not in the container");
    stack.edit(".env", &token("changed"), &token("healthy"));

    stack.down().expect(0);
    assert_eq!(stack.containers(), Vec::<String>::new());
    assert_eq!(snapshot(&dir), files, "no file is written into a stack made by hand");
}

#[test]
fn engine_the_samples_image_is_never_looked_for_in_a_registry() {
    let Some(engine) = engine("the sample's image") else { return };
    let stack = Stack::new(engine, "registry", json!({"sample": true}), "healthy");
    let _image = Removed("built", stack.project.clone());
    // What Compose prints is shown on a terminal only, so it is asked for in its place what it would do.
    let calls = folder();
    let log = calls.path().join("log");
    let docker = crate::support::which("docker").unwrap();
    let wrapper = format!("#!/bin/sh\necho \"$*\" >>{}\nexec {} \"$@\"\n", log.display(), docker.display());
    crate::support::script(calls.path(), "docker", &wrapper);
    let path = format!("{}:{}", calls.path().display(), std::env::var("PATH").unwrap());
    ready(stack.call(["up"]).env("PATH", path).json(json!({"wait_seconds": 60})).run());
    let calls = std::fs::read_to_string(&log).unwrap();
    assert!(calls.lines().any(|line| line == "compose up --detach --build"), "{calls}");
}

/// A helper that is killed leaves a Compose run behind; no second one may start meanwhile.
#[test]
fn engine_the_lock_outlives_a_helper_that_is_killed() {
    let Some(engine) = engine("the lock outlives the helper") else { return };
    let stack = Stack::small(engine, "outlives", "healthy");
    let parent = folder();
    let (marks, over) = (parent.path().join("up"), parent.path().join("over"));
    let docker = crate::support::which("docker").unwrap();
    let wrapper = format!(
        "#!/bin/sh\ncase \"$*\" in \"compose up\"*) echo $$ >{}; for _ in $(seq 600); do \
         [ -e {} ] && break; sleep 0.2; done ;; *) exec {} \"$@\" ;; esac\n",
        marks.display(),
        over.display(),
        docker.display()
    );
    crate::support::script(parent.path(), "docker", &wrapper);
    let path = format!("{}:{}", parent.path().display(), std::env::var("PATH").unwrap());
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_mcp-tunnels-helper"))
        .args(["up", "--dir", stack.dir.to_str().unwrap()])
        .env("PATH", path)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("Compose runs", || marks.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    let busy = stack.up(0).expect(2);
    assert_eq!(busy.json["error"]["code"], "busy", "{:#}", busy.json);
    std::fs::write(&over, "").unwrap();
    until("Compose ended", || {
        let id = std::fs::read_to_string(&marks).unwrap();
        !std::path::Path::new("/proc").join(id.trim()).exists()
    });
    stack.up_ready();
}
