//! The sample server in a cluster: ConfigMap, Deployment and Service, with the same pinned image and packages.

use serde_json::{Value, json};

use super::values::NAMESPACE;
use crate::answer::Error;
use crate::config::images::{self, ImageRef};
use crate::config::sample::{self, DOCKERFILE, REQUIREMENTS, SERVER, SERVICE, URL};
use crate::config::stamp::{Authorship, origin, stamp};
use crate::config::yaml;
use crate::export::parts::LeftOut;
use crate::lint::facts::Facts;
use crate::os::files;

pub(super) struct Sample {
    image: ImageRef,
    server: String,
    requirements: String,
    is_built_otherwise: bool,
}

impl Sample {
    /// The sample of a deployment; `None` where no route leads to it, or its files are not there.
    pub(super) fn of(facts: &Facts) -> Option<Self> {
        let is_routed = facts.gateway.good()?.routes.values().any(|url| url == URL);
        if !is_routed || !facts.found.service_names().contains(SERVICE) {
            return None;
        }
        let text = |inside| files::read_text(&facts.deployment, inside).ok().flatten();
        let dockerfile = text(DOCKERFILE)?;
        let image = sample::base_image(&dockerfile).unwrap_or_else(|| ImageRef::known(images::PYTHON));
        let is_built_otherwise = origin(&dockerfile) != Authorship::Ours;
        Some(Self { image, server: text(SERVER)?, requirements: text(REQUIREMENTS)?, is_built_otherwise })
    }

    /// What of it is not exported.
    pub(super) fn edited(&self) -> Option<LeftOut> {
        let why = "it was edited; in the cluster the packages of requirements.txt are installed on its base image, and nothing else";
        self.is_built_otherwise.then(|| LeftOut::new(DOCKERFILE, why))
    }

    /// `sample.yaml`.
    pub(super) fn manifest(&self) -> Result<String, Error> {
        let labels = json!({ "app.kubernetes.io/name": SERVICE });
        let meta = json!({ "name": SERVICE, "namespace": NAMESPACE, "labels": labels });
        let part = |version, kind, key: &str, value: Value| json!({ "apiVersion": version, "kind": kind, "metadata": meta, key: value });
        let files = json!({ "server.py": self.server, "requirements.txt": self.requirements });
        let deployment = json!({
            "replicas": 1,
            "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": self.pod() },
        });
        let service = json!({
            "selector": labels,
            "ports": [{ "name": "http", "port": 9000, "targetPort": "http" }],
        });
        let parts = [
            part("v1", "ConfigMap", "data", files),
            part("apps/v1", "Deployment", "spec", deployment),
            part("v1", "Service", "spec", service),
        ];
        let parts = parts.iter().map(yaml::to_text).collect::<Result<Vec<_>, _>>()?;
        let about =
            "After an edit of server.py: kubectl apply this file, then kubectl rollout restart deploy/hello-mcp.";
        Ok(stamp(about, &parts.join("---\n")))
    }

    fn pod(&self) -> Value {
        let mounts = json!([
            { "name": "files", "mountPath": "/app", "readOnly": true },
            { "name": "packages", "mountPath": "/packages" },
            { "name": "tmp", "mountPath": "/tmp" },
        ]);
        let container = |name: &str, command: &[&str], env: Value| {
            json!({
                "name": name,
                "image": self.image.as_str(),
                "command": command,
                "env": env,
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": { "drop": ["ALL"] },
                },
                "volumeMounts": mounts,
            })
        };
        let install = "pip install --no-cache-dir --disable-pip-version-check --require-hashes --target /packages -r /app/requirements.txt";
        let install: Vec<&str> = install.split(' ').collect();
        let setup = container("packages", &install, json!([{ "name": "HOME", "value": "/tmp" }]));
        let env = json!([
            { "name": "PYTHONPATH", "value": "/packages" },
            { "name": "PYTHONUNBUFFERED", "value": "1" },
            { "name": "PYTHONDONTWRITEBYTECODE", "value": "1" },
        ]);
        let mut server = container("server", &["python", "/app/server.py"], env);
        server["ports"] = json!([{ "name": "http", "containerPort": 9000 }]);
        server["readinessProbe"] = json!({ "tcpSocket": { "port": "http" } });
        server["livenessProbe"] = json!({ "tcpSocket": { "port": "http" }, "periodSeconds": 20 });
        json!({
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": 65532,
                "runAsGroup": 65532,
                "fsGroup": 65532,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "initContainers": [setup],
            "containers": [server],
            "volumes": [
                { "name": "files", "configMap": { "name": SERVICE } },
                { "name": "packages", "emptyDir": {} },
                { "name": "tmp", "emptyDir": {} },
            ],
        })
    }
}
