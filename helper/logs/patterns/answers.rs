//! What a server's answer to a call means, by its status.

use super::pattern::{Pattern, call};
use crate::rules::RuleId::*;

pub(crate) static UNAUTHORIZED: Pattern = call(UpstreamNeedsCredential, &["401"]);
pub(crate) static FORBIDDEN: Pattern = call(UpstreamForbidden, &["403"]);
pub(crate) static NOT_FOUND: Pattern = call(UpstreamPath404, &["404"]);
pub(crate) static NOT_AT_MCP: Pattern = call(UpstreamPath404, &["404"])
    .fix("mount the server's MCP app at `/mcp`, which was called and is not there (FastMCP `streamable_http_path`; an app that is mounted under a prefix adds the prefix; an older SSE server has `/sse`), or use the path at which it is mounted in Claude; `{helper} connect --dir {dir}` shows the whole URL");
pub(crate) static METHOD: Pattern = call(UpstreamMethod, &["405"]);
pub(crate) static NOT_ACCEPTABLE: Pattern = call(UpstreamNotAcceptable, &["406"]);
pub(crate) static MISDIRECTED: Pattern = call(UpstreamHostRejected, &["421"]);
pub(crate) static BAD_REQUEST: Pattern = call(UpstreamBadRequest, &[" 4"]);
pub(crate) static TOO_LARGE: Pattern = call(UpstreamBadRequest, &["413"])
    .fix("raise the server's limit for the size of a request (Express `express.json({limit: '4mb'})`, nginx `client_max_body_size`), then run `{helper} restart --dir {dir}`");
pub(crate) static MEDIA_TYPE: Pattern = call(UpstreamBadRequest, &["415"])
    .fix("let the server accept `Content-Type: application/json` at the path that was called; if another path speaks MCP, use that one in Claude");
pub(crate) static TOO_MANY: Pattern = call(UpstreamBadRequest, &["429"])
    .fix("raise the server's rate limit: the calls of all users come from the one address of `{proxy}`");
pub(crate) static FAILED: Pattern = call(UpstreamFailed, &[" 5"]);

static WITHOUT_SLASH: Pattern = call(UpstreamSlash307, &[" 30"])
    .fix("in Claude, remove the slash at the end of the path: `mcp` instead of `mcp/`; the `Location` of the redirect is the path that answers");
static WITH_SLASH: Pattern = call(UpstreamSlash307, &[" 30"])
    .fix("in Claude, add a slash to the path: `/mcp/` instead of `/mcp`; the `Location` of the redirect is the path that answers");
static HTTPS: Pattern = call(UpstreamSlash307, &[" 30"])
    .fix("write `https://` in the route: the server redirects every plain call to https; or turn that redirect off for calls from the proxy");

/// A redirect: to the same path with or without a slash, unless its `Location` says otherwise.
pub(crate) fn redirect(path: &str, line: &str) -> &'static Pattern {
    if line.contains("ocation") && line.contains("https://") {
        &HTTPS
    } else if path.len() > 1 && path.ends_with('/') {
        &WITHOUT_SLASH
    } else {
        &WITH_SLASH
    }
}
