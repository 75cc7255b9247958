//! Brings the files of the stack to what was asked for: reads what is there, plans, writes.

pub(crate) mod labels;
pub(crate) mod plan;
mod sample_files;
mod sources;
pub(crate) mod takeover;

use time::OffsetDateTime;

use crate::answer::{Error, Finding};
use crate::config::compose::Choices;
use crate::config::gateway::Gateway;
use crate::config::images::ImageRef;
use crate::config::settings::{Namespace, Settings};
use crate::config::stamp::stamp;
use crate::config::{compose, gateway, images, sample};
use crate::deployment::route::DOCKER_HOST;
use crate::deployment::scaffold;
use crate::deployment::{Deployment, Domain, OPEN_DIR_MODE, OPEN_MODE, Upstream, path};
use crate::model::found::Found;
use crate::model::sources::MAIN_NAMES;
use crate::os::batch::{self, Batch};
use crate::os::files::{self, Action, FileEntry};
use crate::rules::{self, RuleId};
use labels::refresh_labels;
use plan::{Fate, Mode, Planned, Rendered, describe};
use sources::{Sources, Unusable};

/// Renders the stack: takes what is there, applies the settings, writes what differs and is not a person's.
///
/// # Errors
/// `request` for settings that the proxy or Compose would refuse, reading and writing errors.
pub(crate) fn render(
    deployment: &Deployment,
    found: Found,
    domain: &Domain,
    settings: &Settings,
    mode: Mode,
    now: OffsetDateTime,
) -> Result<Rendered, Error> {
    let sources = Sources::read(deployment, found)?;
    let current = match sources.gateway() {
        Some(Err(Unusable::Fault(fault))) if !mode.overwrite => return Ok(faulty(deployment, &fault)),
        gateway => gateway.and_then(Result::ok),
    };
    let is_in_the_way = sources.is_foreign() && !mode.overwrite;
    let gateway = changed_gateway(deployment, &sources, current.clone(), domain, settings, is_in_the_way)?;
    let before = sources.choices(&gateway);
    let choices = changed_choices(&before, &gateway, settings)?;
    let (plan, older) =
        plan_files(deployment, &sources, domain, (current.as_ref(), &gateway), (&before, &choices), mode)?;

    let mut rendered = Rendered {
        routes: gateway.shown_routes(),
        paths: choices.paths.clone(),
        networks: choices.networks.clone(),
        // A foreign stack is one unit: no file is added to it unless all of it may be replaced.
        blocked: is_in_the_way || plan.iter().any(|file| file.fate(mode) == Fate::Block),
        ..Rendered::default()
    };
    if let Some(foreign) = &sources.foreign {
        let replaced = takeover::replaced(deployment, &sources.found, foreign, domain, sources.env.as_ref());
        rendered.findings.extend(if mode.overwrite { replaced.finding() } else { Some(replaced.refusal()) });
        rendered.replaces = Some(replaced);
    }
    rendered.findings.extend(unpinned_images(&choices));
    rendered.findings.extend(older);
    rendered.findings.extend(sources.env.as_ref().and_then(scaffold::env_fault));
    rendered.findings.extend(gateway.open_finding());
    if rendered.blocked {
        // What is configured, not what was asked for.
        rendered.routes = current.as_ref().map(Gateway::shown_routes).unwrap_or_default();
    }
    let mut aside = Vec::new();
    if !mode.dry_run && !rendered.blocked {
        aside = write(deployment, &sources.found, &plan, mode, now)?;
    }
    describe(deployment, &plan, mode, is_in_the_way, &mut rendered);
    for name in aside {
        rendered.files.push(FileEntry::of(deployment, &name, Action::Created));
    }
    Ok(rendered)
}

/// The proxy's configuration after the change.
fn changed_gateway(
    deployment: &Deployment,
    sources: &Sources,
    current: Option<Gateway>,
    domain: &Domain,
    settings: &Settings,
    is_in_the_way: bool,
) -> Result<Gateway, Error> {
    let fresh = Gateway::new(domain);
    let mut gateway = current.unwrap_or_else(|| fresh.clone());
    gateway.listen_addr = gateway.listen_addr.or(fresh.listen_addr);
    gateway.tunnel_domain = Some(domain.as_str().to_owned());
    gateway.tls = gateway.tls.or(fresh.tls);
    gateway.apply(settings, sample::ROUTE, sample::URL)?;
    if !is_in_the_way {
        if let Some(Err(Unusable::Lost(lost))) = sources.gateway()
            && gateway.routes.is_empty()
        {
            return Err(Error::request(
                format!("a take-over would lose {lost}, and leave the proxy without a route"),
                "name the routes in the request: {\"routes\":{\"NAME\":\"http://HOST:PORT\"}}",
            ));
        }
        gateway.require_sound(settings)?;
    }
    if settings.upstream.is_mentioned() {
        require_ca_file(deployment, &gateway)?;
    }
    Ok(gateway)
}

/// The compose file's choices after the change.
fn changed_choices(before: &Choices, gateway: &Gateway, settings: &Settings) -> Result<Choices, Error> {
    let mut choices = before.clone();
    choices.apply(settings);
    if settings.namespace.is_mentioned() {
        require_way_to_proxy(choices.namespace, gateway)?;
    }
    if let Some(unknown) = settings.paths.0.keys().find(|name| !gateway.routes.contains_key(*name)) {
        let names: Vec<&str> = gateway.routes.keys().map(String::as_str).collect();
        let hint = format!("the routes are {}", names.join(", "));
        return Err(Error::request(format!("`paths` names `{unknown}`, which is not a route"), hint));
    }
    choices.paths.retain(|name, _| gateway.routes.contains_key(name));
    Ok(choices)
}

/// Every file of the stack with its new content, and the finding about a sample server that needs an older SDK.
fn plan_files(
    deployment: &Deployment,
    sources: &Sources,
    domain: &Domain,
    (current, gateway): (Option<&Gateway>, &Gateway),
    (before, choices): (&Choices, &Choices),
    mode: Mode,
) -> Result<(Vec<Planned>, Option<Finding>), Error> {
    let python = ImageRef::parse(&choices.python_image).unwrap_or_else(|_| ImageRef::known(images::PYTHON));
    let rebase = before.python_image != choices.python_image;
    let (mut plan, older) = match choices.sample {
        true => sample_files::plan(deployment, &python, rebase, mode)?,
        false => (Vec::new(), None),
    };
    let stamped = "It takes effect when the proxy restarts: `mcp-tunnels-helper restart`.";
    plan.push(Planned {
        inside: path::GATEWAY,
        desired: stamp(stamped, &gateway.to_yaml()?),
        existing: sources.gateway_text.clone(),
        wanted: current != Some(gateway),
        theirs: false,
    });
    let upstreams: Vec<Upstream> = gateway.routes.values().filter_map(|text| Upstream::parse(text).ok()).collect();
    let inputs: Vec<Vec<u8>> = plan
        .iter()
        .filter(|file| sample::BUILD_INPUTS.contains(&file.inside))
        .map(|file| file.content_after(mode).as_bytes().to_vec())
        .collect();
    let image = sample::image(&compose::project_name(domain), &inputs);
    let compose = compose::to_yaml(domain, choices, &upstreams, &image)?;
    let main = sources.found.main.as_ref();
    let needs_host = upstreams.iter().any(|u| u.host_text() == DOCKER_HOST);
    let lacks_host = needs_host && main.is_some_and(|file| !file.text.contains(DOCKER_HOST));
    plan.push(Planned {
        inside: path::COMPOSE,
        desired: stamp("Your own services and changes belong in docker-compose.override.yaml.", &compose),
        existing: files::read_text(deployment, path::COMPOSE)?,
        wanted: sources.is_foreign() || before != choices || lacks_host || main.is_some_and(|file| file.value.is_err()),
        theirs: false,
    });
    Ok((plan, older))
}

/// Without the routes of a configuration that cannot be read nothing sensible can be written.
fn faulty(deployment: &Deployment, fault: &gateway::GatewayFault) -> Rendered {
    Rendered {
        blocked: true,
        findings: vec![gateway::gateway_fault(fault, path::GATEWAY)],
        files: vec![FileEntry::of(deployment, path::GATEWAY, Action::Kept)],
        ..Rendered::default()
    }
}

/// A proxy that listens on loopback is reached from its own network namespace only.
fn require_way_to_proxy(namespace: Namespace, gateway: &Gateway) -> Result<(), Error> {
    if namespace == Namespace::Shared || !gateway.listens_on_loopback() {
        return Ok(());
    }
    let listen = gateway.listen_addr.as_deref().unwrap_or_default();
    Err(Error::request(
        format!("`namespace` cannot be `separate` while `listen_addr` is `{listen}`: cloudflared would not reach it"),
        format!("write `listen_addr: \"{}\"` in `{}`, then repeat this", gateway::LISTEN_ADDR, path::GATEWAY),
    ))
}

fn require_ca_file(deployment: &Deployment, gateway: &Gateway) -> Result<(), Error> {
    let Some(name) = gateway.upstream_ca().and_then(gateway::data_file) else { return Ok(()) };
    let inside = format!("{}/{name}", path::DATA);
    if files::read(deployment, &inside)?.is_none() {
        return Err(Error::request(
            format!("`upstream.tls.ca_file` refers to `{}`, which does not exist", deployment.path(&inside).display()),
            "copy the PEM file there first, readable for everyone (chmod 644)",
        ));
    }
    Ok(())
}

fn unpinned_images(choices: &Choices) -> Option<Finding> {
    let python = choices.sample.then_some(("python", &choices.python_image));
    let used = [("proxy", &choices.proxy_image), ("cloudflared", &choices.cloudflared_image)].into_iter().chain(python);
    let unpinned = used.filter(|(_, image)| !images::is_pinned(image)).map(|(role, image)| format!("{role}: {image}"));
    rules::finding(RuleId::ImageUnpinned).with_each(unpinned)
}

/// Writes the plan. Says which files were kept aside, as paths inside the directory.
fn write(
    deployment: &Deployment,
    found: &Found,
    plan: &[Planned],
    mode: Mode,
    now: OffsetDateTime,
) -> Result<Vec<String>, Error> {
    let mut aside = Vec::new();
    files::make_dir(deployment, path::CONFIG, OPEN_DIR_MODE)?;
    if plan.iter().any(|file| file.inside == sample::SERVER) {
        files::make_dir(deployment, path::SAMPLE, OPEN_DIR_MODE)?;
    }
    let mut batch = Batch::new(deployment);
    for file in plan {
        let bytes = file.desired.as_bytes();
        match file.fate(mode) {
            Fate::Create => batch.create(file.inside, bytes, OPEN_MODE)?,
            Fate::Update => batch.replace(file.inside, bytes, None, OPEN_MODE)?,
            Fate::KeepAsideAndUpdate => {
                aside.push(batch::keep_aside(deployment, file.inside, now)?);
                batch.replace(file.inside, bytes, None, OPEN_MODE)?;
            }
            Fate::Leave | Fate::Keep | Fate::Block => {}
        }
    }
    batch.commit()?;
    // A compose file under a name that Compose prefers would hide the one just written.
    for name in MAIN_NAMES.iter().filter(|name| **name != path::COMPOSE) {
        let exists = found.main.as_ref().is_some_and(|main| main.name == *name) || found.shadowed.contains(name);
        if exists && mode.overwrite {
            aside.push(batch::keep_aside(deployment, name, now)?);
            files::remove(deployment, name)?;
        }
    }
    // The files as they are now.
    refresh_labels(deployment, &Found::read(deployment))?;
    Ok(aside)
}
