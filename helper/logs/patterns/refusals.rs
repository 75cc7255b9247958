//! Calls that a server's framework refuses before the MCP server sees them, and workers that die with theirs.

use super::pattern::Tell::{Quiet, Weak};
use super::pattern::{Pattern, call};
use crate::rules::RuleId::*;

/// Advice for a guard against forged forms.
const NO_CSRF: &str = "exempt the path of MCP from the protection against forged requests: its clients send neither cookies nor forms (Spring `csrf.ignoringRequestMatchers(\"/mcp/**\")`, Django `@csrf_exempt`, Rails `skip_forgery_protection`, Laravel `validateCsrfTokens(except: …)`, ASP.NET `DisableAntiforgery()`); then run `{helper} restart --dir {dir}`";
/// Advice for workers that answer too late.
const WORKER_TIMEOUT: &str = "raise the time that a worker has (gunicorn `--timeout 0`), and use workers that hold a stream open (`-k uvicorn.workers.UvicornWorker`): a stream of MCP lasts longer than one request; then run `{helper} up --dir {dir}`";

/// Looked up after the server's own rows.
#[rustfmt::skip]
pub(crate) static REFUSALS: &[Pattern] = &[
    // Workers that end: uvicorn, gunicorn, Granian, Celery, uWSGI, PHP-FPM and nginx, Puma, PM2, supervisord.
    call(UpstreamWorkersDie, &["Child process […] died"]).tells(&[Quiet]),
    call(UpstreamWorkersDie, &["WORKER TIMEOUT (pid:"]).fix(WORKER_TIMEOUT),
    call(UpstreamWorkersDie, &["Worker (pid:…was sent SIGKILL"]).tells(&[Weak]),
    call(UpstreamWorkersDie, &["Worker (pid:…was sent SIGSEGV"]),
    call(UpstreamWorkersDie, &["Worker (pid:…was sent SIGABRT"]).tells(&[Weak]),
    call(UpstreamWorkersDie, &["Unexpected exit from worker", "exited with 'signal "]),
    call(UpstreamWorkersDie, &["WorkerLostError"]).tells(&[Weak]),
    call(UpstreamWorkersDie, &["DAMN ! worker …died", "child … exited on signal "]),
    call(UpstreamWorkersDie, &["worker … died ("]).tells(&[Quiet]),
    call(UpstreamWorkersDie, &["worker process … exited on signal ", "child pid … exit signal "]),
    call(UpstreamWorkersDie, &["Terminating timed out worker"]).fix(WORKER_TIMEOUT),
    call(UpstreamWorkersDie, &["had too many unstable restarts", "App […exited with code [1]",
        "exited: …; not expected)", "gave up: …entered FATAL state"]).tells(&[Quiet]),
    // Origins, in the words of Express, Spring, Starlette, Rails and Phoenix.
    call(UpstreamOriginRejected, &["ot allowed by CORS", "nvalid CORS request", "Reject: '…origin is not allowed",
        "isallowed CORS origin", "rigin header (…match request.base_url",
        "ould not check origin for "]).tells(&[Quiet]),
    // Guards against forged requests, and of those who are not known: Spring, Django, Rails, Laravel, ASP.NET, Express,
    // Phoenix, Go, SvelteKit.
    call(UpstreamForbidden, &["InvalidCSRFTokenError", "nvalid CSRF token", "nvalid csrf token", "CSRF token mismatch",
        "verify CSRF token", "CSRF token invalid", "CSRF token missing", "CSRF cookie not set", "CSRF Failed: ",
        "InvalidAuthenticityToken", "TokenMismatchException", "EBADCSRFTOKEN", "ntiforgery token validation failed",
        "AntiforgeryValidationException", "cross-origin request detected",
        "Cross-site POST form submissions are forbidden"]).tells(&[Quiet]).fix(NO_CSRF),
    call(UpstreamForbidden, &["Responding with 403 status code",
        "AuthenticationScheme: …was forbidden"]).tells(&[Quiet]),
    call(UpstreamNeedsCredential, &["Responding with unauthorized status code",
        "AuthenticationScheme: …was challenged"]).tells(&[Quiet]),
];
