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
    call(UpstreamWorkersDie, &["Child process [", "] died"]).tells(&[Quiet]),
    call(UpstreamWorkersDie, &["WORKER TIMEOUT (pid:"]).fix(WORKER_TIMEOUT),
    call(UpstreamWorkersDie, &["Worker (pid:", "was sent SIGKILL"]).tells(&[Weak]),
    call(UpstreamWorkersDie, &["Worker (pid:", "was sent SIGSEGV"]),
    call(UpstreamWorkersDie, &["Worker (pid:", "was sent SIGABRT"]).tells(&[Weak]),
    call(UpstreamWorkersDie, &["Unexpected exit from worker"]),
    call(UpstreamWorkersDie, &["exited with 'signal "]),
    call(UpstreamWorkersDie, &["WorkerLostError"]).tells(&[Weak]),
    call(UpstreamWorkersDie, &["DAMN ! worker ", "died"]),
    call(UpstreamWorkersDie, &["child ", " exited on signal "]),
    call(UpstreamWorkersDie, &["worker ", " died ("]).tells(&[Quiet]),
    call(UpstreamWorkersDie, &["worker process ", " exited on signal "]),
    call(UpstreamWorkersDie, &["child pid ", " exit signal "]),
    call(UpstreamWorkersDie, &["Terminating timed out worker"]).fix(WORKER_TIMEOUT),
    call(UpstreamWorkersDie, &["had too many unstable restarts"]).tells(&[Quiet]),
    call(UpstreamWorkersDie, &["App [", "exited with code [1]"]).tells(&[Quiet]),
    call(UpstreamWorkersDie, &["exited: ", "; not expected)"]).tells(&[Quiet]),
    call(UpstreamWorkersDie, &["gave up: ", "entered FATAL state"]).tells(&[Quiet]),
    // Origins, in the words of Express, Spring, Starlette, Rails and Phoenix.
    call(UpstreamOriginRejected, &["ot allowed by CORS"]).tells(&[Quiet]),
    call(UpstreamOriginRejected, &["nvalid CORS request"]).tells(&[Quiet]),
    call(UpstreamOriginRejected, &["Reject: '", "origin is not allowed"]).tells(&[Quiet]),
    call(UpstreamOriginRejected, &["isallowed CORS origin"]).tells(&[Quiet]),
    call(UpstreamOriginRejected, &["rigin header (", "match request.base_url"]).tells(&[Quiet]),
    call(UpstreamOriginRejected, &["ould not check origin for "]).tells(&[Quiet]),
    // Guards against forged requests, and of those who are not known: Spring, Django, Rails, Laravel, ASP.NET, Express,
    // Phoenix, Go, SvelteKit.
    call(UpstreamForbidden, &["InvalidCSRFTokenError"]).tells(&[Quiet]).fix(NO_CSRF),
    call(UpstreamForbidden, &["nvalid CSRF token"]).tells(&[Quiet]).fix(NO_CSRF),
    call(UpstreamForbidden, &["nvalid csrf token"]).tells(&[Quiet]).fix(NO_CSRF),
    call(UpstreamForbidden, &["CSRF token mismatch"]).tells(&[Quiet]).fix(NO_CSRF),
    call(UpstreamForbidden, &["verify CSRF token"]).tells(&[Quiet]).fix(NO_CSRF),
    call(UpstreamForbidden, &["CSRF token invalid"]).tells(&[Quiet]).fix(NO_CSRF),
    call(UpstreamForbidden, &["CSRF token missing"]).tells(&[Quiet]).fix(NO_CSRF),
    call(UpstreamForbidden, &["CSRF cookie not set"]).tells(&[Quiet]).fix(NO_CSRF),
    call(UpstreamForbidden, &["CSRF Failed: "]).tells(&[Quiet]).fix(NO_CSRF),
    call(UpstreamForbidden, &["InvalidAuthenticityToken"]).tells(&[Quiet]).fix(NO_CSRF),
    call(UpstreamForbidden, &["TokenMismatchException"]).tells(&[Quiet]).fix(NO_CSRF),
    call(UpstreamForbidden, &["EBADCSRFTOKEN"]).tells(&[Quiet]).fix(NO_CSRF),
    call(UpstreamForbidden, &["ntiforgery token validation failed"]).tells(&[Quiet]).fix(NO_CSRF),
    call(UpstreamForbidden, &["AntiforgeryValidationException"]).tells(&[Quiet]).fix(NO_CSRF),
    call(UpstreamForbidden, &["cross-origin request detected"]).tells(&[Quiet]).fix(NO_CSRF),
    call(UpstreamForbidden, &["Cross-site POST form submissions are forbidden"]).tells(&[Quiet]).fix(NO_CSRF),
    call(UpstreamForbidden, &["Responding with 403 status code"]).tells(&[Quiet]),
    call(UpstreamForbidden, &["AuthenticationScheme: ", "was forbidden"]).tells(&[Quiet]),
    call(UpstreamNeedsCredential, &["Responding with unauthorized status code"]).tells(&[Quiet]),
    call(UpstreamNeedsCredential, &["AuthenticationScheme: ", "was challenged"]).tells(&[Quiet]),
];
