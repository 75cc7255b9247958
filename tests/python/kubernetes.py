"""Plays a Kubernetes API server for kubectl and helm: keeps what is put into it, and calls every rollout done.

usage: kubernetes.py FOLDER    writes FOLDER/port when it listens, and each object, as it is kept, to
                               FOLDER/objects/KIND-NAMESPACE-NAME.json; a request that it does not know to FOLDER/unknown

Only what the two programs ask for is here; what they send is taken as it comes.
"""

import base64
import http.server
import json
import os
import socketserver
import sys
import threading
import urllib.parse

FOLDER = sys.argv[1]
OBJECTS = {}
LOCK = threading.Lock()
# name, kind, whether it is in a namespace
RESOURCES = {
    "api/v1": [
        ("namespaces", "Namespace", False),
        ("secrets", "Secret", True),
        ("configmaps", "ConfigMap", True),
        ("services", "Service", True),
        ("pods", "Pod", True),
        ("serviceaccounts", "ServiceAccount", True),
    ],
    "apis/apps/v1": [("deployments", "Deployment", True), ("replicasets", "ReplicaSet", True)],
}
SHORT = {"deployments": ["deploy"]}
VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


def group_version(path):
    return path.split("/", 1)[1]


def resource_list(path):
    rows = [
        {"name": name, "singularName": kind.lower(), "kind": kind, "namespaced": inside, "verbs": VERBS, "shortNames": SHORT.get(name, [])}
        for name, kind, inside in RESOURCES[path]
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version(path), "resources": rows}


def openapi(path):
    """As much as kubectl wants to see: that the server checks fields itself."""
    paths = {}
    group, _, version = group_version(path).rpartition("/")
    for name, kind, inside in RESOURCES[path]:
        place = f"/{path}/namespaces/{{namespace}}/{name}/{{name}}" if inside else f"/{path}/{name}/{{name}}"
        gvk = {"group": group, "version": version, "kind": kind}
        field = {"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}
        paths[place] = {"patch": {"parameters": [field], "responses": {}, "x-kubernetes-group-version-kind": gvk}}
    return {"openapi": "3.0.0", "info": {"title": "stand-in", "version": "v1"}, "paths": paths, "components": {"schemas": {}}}


PROTOBUF = b"k8s\0"


def fields(data):
    """Numbers and values of a protobuf message."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        tag = varint()
        if tag & 7 == 2:
            length = varint()
            at += length
            yield tag >> 3, data[at - length : at]
        else:
            yield tag >> 3, varint()


def entry(data):
    pair = dict(fields(data))
    return pair[1].decode(), pair.get(2, b"")


def secret_of(body):
    """helm stores its releases as Secrets in protobuf: the only thing that comes so."""
    raw = dict(fields(body[len(PROTOBUF):]))[2]
    value = {"metadata": {"labels": {}}, "data": {}}
    for number, part in fields(raw):
        if number == 1:
            for inner, text in fields(part):
                if inner == 1:
                    value["metadata"]["name"] = text.decode()
                elif inner == 11:
                    key, label = entry(text)
                    value["metadata"]["labels"][key] = label.decode()
        elif number == 2:
            key, content = entry(part)
            value["data"][key] = base64.b64encode(content).decode()
        elif number == 3:
            value["type"] = part.decode()
    return value


def merged(old, new):
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    out = dict(old)
    for key, value in new.items():
        if value is None:
            out.pop(key, None)
        elif not key.startswith("$"):
            out[key] = merged(out.get(key), value)
    return out


def settled(kind, value):
    """A deployment is rolled out at once."""
    if kind == "Deployment":
        value.setdefault("spec", {}).setdefault("replicas", 1)
        generation = value["metadata"].setdefault("generation", 1)
        replicas = value["spec"]["replicas"]
        value["status"] = {
            "observedGeneration": generation,
            **{name: replicas for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")},
            "conditions": [
                {"type": "Available", "status": "True"},
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
            ],
        }
    return value


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def text(self, text):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def missing(self, what=""):
        self.answer(
            {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "message": f"{what} not found", "code": 404},
            404,
        )

    def serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if body.startswith(PROTOBUF):
            body = json.dumps(secret_of(body)).encode()
        url = urllib.parse.urlsplit(self.path)
        path, query = url.path.strip("/"), dict(urllib.parse.parse_qsl(url.query))
        fixed = {
            "version": {"major": "1", "minor": "33", "gitVersion": "v1.33.0", "platform": "linux/amd64"},
            "api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
            "apis": {
                "kind": "APIGroupList",
                "apiVersion": "v1",
                "groups": [
                    {
                        "name": "apps",
                        "versions": [{"groupVersion": "apps/v1", "version": "v1"}],
                        "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"},
                    }
                ],
            },
            "openapi/v3": {"paths": {place: {"serverRelativeURL": f"/openapi/v3/{place}"} for place in RESOURCES}},
        }
        if path in fixed:
            return self.answer(fixed[path])
        if path in RESOURCES:
            return self.answer(resource_list(path))
        if path.startswith("openapi/v3/") and path[len("openapi/v3/"):] in RESOURCES:
            return self.answer(openapi(path[len("openapi/v3/"):]))
        for place, rows in RESOURCES.items():
            if path.startswith(place + "/"):
                return self.objects(place, rows, path[len(place) + 1:].split("/"), query, body)
        with open(os.path.join(FOLDER, "unknown"), "a") as unknown:
            unknown.write(f"{self.command} {self.path}\n")
        return self.missing(path)

    def objects(self, place, rows, parts, query, body):
        namespace = ""
        if parts[0] == "namespaces" and len(parts) > 2:
            namespace, parts = parts[1], parts[2:]
        row = next((row for row in rows if row[0] == parts[0]), None)
        if row is None:
            return self.missing(parts[0])
        resource, kind, _ = row
        name = parts[1] if len(parts) > 1 else None
        if kind == "Pod" and parts[2:] == ["log"]:
            return self.text(f"a line of {query.get('container')}\n")
        with LOCK:
            if self.command == "POST":
                value = json.loads(body)
                name = value["metadata"]["name"]
                return self.keep(place, kind, namespace, name, value, 201)
            key = (kind, namespace, name)
            if name is None:
                return self.listed(place, kind, namespace, query)
            if self.command == "GET":
                return self.answer(OBJECTS[key]) if key in OBJECTS else self.missing(f"{resource} {name}")
            if self.command == "DELETE":
                OBJECTS.pop(key, None)
                return self.answer({"kind": "Status", "apiVersion": "v1", "status": "Success"})
            if self.command == "PUT":
                return self.keep(place, kind, namespace, name, json.loads(body))
            is_apply = "apply-patch" in (self.headers.get("Content-Type") or "")
            if key not in OBJECTS and not is_apply:
                return self.missing(f"{resource} {name}")
            value = merged(OBJECTS.get(key, {}), json.loads(body))
            return self.keep(place, kind, namespace, name, value)

    def keep(self, place, kind, namespace, name, value, status=200):
        value["apiVersion"], value["kind"] = group_version(place), kind
        meta = value["metadata"]
        meta["name"] = name
        if namespace:
            meta["namespace"] = namespace
        meta["resourceVersion"] = str(int(meta.get("resourceVersion") or 0) + 1)
        meta.setdefault("uid", f"{kind}-{namespace}-{name}")
        meta.setdefault("creationTimestamp", "2026-11-26T00:00:00Z")
        OBJECTS[(kind, namespace, name)] = settled(kind, value)
        if kind == "Deployment":
            labels = value["spec"]["template"]["metadata"]["labels"]
            pod = {
                "metadata": {"name": f"{name}-0", "labels": labels},
                "spec": value["spec"]["template"]["spec"],
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
            }
            pod["apiVersion"], pod["kind"] = "v1", "Pod"
            pod["metadata"].update(namespace=namespace, uid=f"pod-{name}", resourceVersion="1", creationTimestamp="2026-11-26T00:00:00Z")
            OBJECTS[("Pod", namespace, f"{name}-0")] = pod
        place = os.path.join(FOLDER, "objects", f"{kind}-{namespace}-{name}.json")
        with open(place, "w") as file:
            json.dump(value, file)
        return self.answer(value, status)

    def listed(self, place, kind, namespace, query):
        labels = [part.split("=", 1) for part in query.get("labelSelector", "").split(",") if "=" in part and " " not in part]
        fields = [part.split("=", 1) for part in query.get("fieldSelector", "").split(",") if "=" in part]
        items = [
            value
            for (its, where, name), value in OBJECTS.items()
            if its == kind
            and (not namespace or where == namespace)
            and all(value["metadata"].get("labels", {}).get(key) == wanted.lstrip("=") for key, wanted in labels)
            and all(name == wanted for key, wanted in fields if key == "metadata.name")
        ]
        if query.get("watch") in ("true", "1"):
            # Nothing changes any more; the client asks again or has seen enough.
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            for item in items:
                self.wfile.write(json.dumps({"type": "ADDED", "object": item}).encode() + b"\n")
            return None
        return self.answer({"kind": f"{kind}List", "apiVersion": group_version(place), "metadata": {"resourceVersion": "1"}, "items": items})

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


os.makedirs(os.path.join(FOLDER, "objects"), exist_ok=True)
with Server(("127.0.0.1", 0), Handler) as server:
    with open(os.path.join(FOLDER, "port.tmp"), "w") as port:
        port.write(str(server.server_port))
    os.rename(os.path.join(FOLDER, "port.tmp"), os.path.join(FOLDER, "port"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # Until the process that started it is gone.
    sys.stdin.read()
