//! What a cluster says of a pod: `kubectl describe`, `kubectl get events`. Words of the kubelet, the scheduler and the
//! controllers of Kubernetes 1.24 to 1.34.

use super::pattern::{Event, Pattern, attempt, event, fatal};
use crate::rules::RuleId::*;

/// Advice for a Secret or a ConfigMap.
const CREATE_IT: &str = "create the Secret or ConfigMap that the evidence names in the pod's own namespace, or correct its name or key in the manifest: `kubectl get secret,configmap` lists them; the cluster then starts the pod by itself";
/// Advice for a pod that no node takes.
const ROOM: &str = "let a node take the pod: lower its `resources.requests`, add a node, or fix the taint, the node selector or the volume claim that the evidence names; `kubectl describe nodes` shows what is free";
/// Advice for what a node or a namespace has too little of.
const EVICTED: &str = "free what the evidence names on the node (disk, memory), or give the pod `resources.requests` for what it uses, so that the cluster places it where there is room; `kubectl delete pod` removes what is left of it";
/// Advice for a policy.
const NOT_ROOT: &str = "name a user in the pod's `securityContext.runAsUser` other than 0, or use an image whose user is a number other than 0";

/// The first that fits counts; looked up behind the engine's own rows.
#[rustfmt::skip]
pub(crate) static CLUSTER: &[Pattern] = &[
    fatal(OutOfMemory, &["Reason:…OOMKilled"]),
    fatal(ImageNotFound, &["Failed to pull image", "Back-off pulling image", "Error: ImagePullBackOff",
        "Error: ErrImage", "Container image \"…is not present with pull policy of Never", "Reason:…ImagePullBackOff",
        "Reason:…ErrImage"]),
    fatal(ImageRefInvalid, &["Reason:…InvalidImageName"]),
    fatal(CrashLoop, &["Back-off restarting failed container", "Reason:…CrashLoopBackOff"]),
    fatal(PodNotRunning, &["Error: secret \"…\" not found", "Error: configmap \"…\" not found",
        "MountVolume.SetUp failed for volume …secret \"…not found",
        "MountVolume.SetUp failed for volume …configmap \"…not found", "couldn't find key … in Secret ",
        "couldn't find key … in ConfigMap ", "references non-existent secret key: ",
        "references non-existent config key: "]).fix(CREATE_IT),
    fatal(PodNotRunning, &["MountVolume.SetUp failed for volume ", "Unable to attach or mount volumes: ",
        "FailedAttachVolume "]),
    fatal(PodNotRunning, &[" nodes are available: "]).fix(ROOM),
    fatal(PodNotRunning, &["Failed to create pod sandbox: "]),
    fatal(PodNotRunning, &["Error: container has runAsNonRoot and image "]).fix(NOT_ROOT),
    fatal(PodNotRunning, &["Error creating: pods \"…is forbidden: "]),
    fatal(PodNotRunning, &["he node was low on resource: ", "Reason:…Evicted"]).fix(EVICTED),
    fatal(PodNotRunning, &["Reason:…CreateContainerConfigError", "Error: CreateContainerConfigError"]).fix(CREATE_IT),
    fatal(PodNotRunning, &["Reason:…CreateContainerError", "Error: CreateContainerError", "Reason:…RunContainerError",
        "Reason:…StartError"]),
    fatal(ServiceUnhealthy, &["Readiness probe failed: ", "Liveness probe failed: ", "Startup probe failed: ",
        " failed liveness probe, will be restarted", " failed startup probe, will be restarted"]),
    event(Event::PodStarted, &["Normal …Started container"]),
];

/// An event of a kind that no row knows.
pub(crate) static WARNED: Pattern = attempt(PodNotRunning, &["Warning"]);

/// Whether a line is an event that a cluster warns of: `Warning  REASON  AGE …` of `kubectl describe`, `AGE  Warning
/// REASON  OBJECT …` of `kubectl get events`.
pub(crate) fn is_warning(text: &str) -> bool {
    let mut words = text.split_whitespace().skip_while(|word| is_age(word));
    let reason = |word: &str| word.len() > 4 && word.starts_with(|c: char| c.is_ascii_uppercase());
    words.next() == Some("Warning")
        && words.next().is_some_and(|word| reason(word) && word.bytes().all(|b| b.is_ascii_alphanumeric()))
        && text.contains("Warning  ")
        && words.next().is_some_and(|next| next.contains('/') || is_age(next))
}

fn is_age(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit()) && word.ends_with(['s', 'm', 'h', 'd'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_from_sentences() {
        for line in [
            "  Warning  PolicyViolation  3s  kyverno-admission  policy x fail",
            "3s   Warning   DNSConfigForming   pod/wiki-6f7c9d   Search Line limits were exceeded",
            "Warning  Failed     3s (x4 over 30s)   kubelet   Error: quux",
        ] {
            assert!(is_warning(line), "{line}");
        }
        for line in [
            "Warning: the key is old",
            "Normal  Started  3s  kubelet  Started container wiki",
            "Warning  Something is not right",
            "2 Warnings",
            "",
        ] {
            assert!(!is_warning(line), "{line}");
        }
    }
}
