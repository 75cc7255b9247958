//! Errors of what a server does besides answering calls: telemetry that it sends, a graphics card, a browser that it
//! drives. They matter where the program ends of them, and not while it serves.

/// Subject of such an error.
pub(super) const ASIDE: &str = "aside";

/// Telemetry, by its protocols, libraries and services.
const TELEMETRY: [&str; 17] = [
    "opentelemetry",
    "otlp",
    "telemetry",
    "posthog",
    "datadog",
    "ddtrace",
    "dd-trace",
    "sentry",
    "newrelic",
    "new relic",
    "applicationinsights",
    "application insights",
    "statsd",
    "jaeger",
    "zipkin",
    "langsmith",
    "langfuse",
];

/// Hardware and desktops that a container does not have.
const DEVICES: [&str; 14] = [
    "cuda",
    "cufft",
    "cublas",
    "cudnn",
    "cuinit",
    "tensorrt",
    "nvml",
    "libva",
    "vaapi",
    "vulkan",
    "alsa",
    "dbus",
    "d-bus",
    "gpu process",
];

pub(super) fn is_aside(text: &str) -> bool {
    let small = crate::redact::head(text, 400).to_ascii_lowercase();
    let word = |name: &&str| {
        let alone = |at: usize| !small[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
        small.match_indices(*name).any(|(at, _)| alone(at))
    };
    TELEMETRY.iter().chain(&DEVICES).any(word) || is_of_native_library(text)
}

/// Whether a library of C++ prints it, as Chromium, TensorFlow and their like log: `[1:2:1120/081541.2:ERROR:bus.cc:408] `,
/// `[1:2:1120/081541.2:ERROR:bus.cc(408)] `, `E external/x.cc:467] `.
fn is_of_native_library(text: &str) -> bool {
    let Some((front, _)) = text.split_once("] ") else { return false };
    let front = front.strip_suffix(')').unwrap_or(front);
    let file = front.trim_end_matches(|c: char| c.is_ascii_digit());
    let named = file.strip_suffix([':', '(']).filter(|_| file.len() < front.len());
    named.is_some_and(|file| [".cc", ".cpp", ".cxx"].iter().any(|end| file.ends_with(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beside_the_calls() {
        for line in [
            "ERROR:opentelemetry.exporter.otlp.proto.grpc.exporter:Failed to export traces to localhost:4317",
            "ERROR:chromadb.telemetry.product.posthog:Failed to send telemetry event ClientStartEvent",
            "[101:134:1120/081541.221114:ERROR:dbus/bus.cc:408] Failed to connect to the bus",
            "[45:45:1002/073105.2:ERROR:init.cc(523)] Passthrough is not supported",
            "E external/local_xla/xla/stream_executor/cuda/cuda_fft.cc:467] Unable to register",
            "failed to send, dropping 2 traces to intake at unix:///var/run/datadog/apm.socket",
            "{\"level\":\"error\",\"msg\":\"OTLPExporterError: connect ECONNREFUSED 127.0.0.1:4318\"}",
        ] {
            assert!(is_aside(line), "{line}");
        }
        for line in [
            "ERROR:wiki.db:connection refused",
            "E0000 something else",
            "ERROR sentient tool failed",
            "main.cc: error: no input] x",
            "ERROR: the salsa20 cipher is missing",
        ] {
            assert!(!is_aside(line), "{line}");
        }
    }
}
