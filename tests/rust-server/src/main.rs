//! Real MCP servers of the Rust SDK: `mcp-tunnels-rust-server ADDRESS KIND:PORT…`, all in one process.
//!
//! `local`: the SDK's own default, which answers the names of this machine only; `open`: every name; `stateless`: every
//! name, no sessions. Prints a line when all listen, and ends with its standard input.

use std::io::Read;

use rmcp::model::{Implementation, ServerCapabilities, ServerConfig};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};

#[derive(Clone)]
struct Hello;

#[tool_router]
impl Hello {
    #[tool(description = "Greets.")]
    fn hello(&self) -> String {
        "Hello".to_owned()
    }
}

#[tool_handler]
impl ServerHandler for Hello {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("hello-rust", "1.0"))
    }
}

fn config(kind: &str) -> Result<StreamableHttpServerConfig, String> {
    let default = StreamableHttpServerConfig::default();
    match kind {
        "local" => Ok(default),
        "open" => Ok(default.disable_allowed_hosts()),
        "stateless" => Ok(default.disable_allowed_hosts().with_legacy_session_mode(false)),
        _ => Err(format!("no kind `{kind}`")),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("no address")?;
    for entry in arguments {
        let (kind, port) = entry.split_once(':').ok_or("no port")?;
        let service = StreamableHttpService::new(|| Ok(Hello), LocalSessionManager::default().into(), config(kind)?);
        let listener = tokio::net::TcpListener::bind((address.as_str(), port.parse()?)).await?;
        let served = axum::serve(listener, axum::Router::new().nest_service("/mcp", service));
        tokio::spawn(async move { served.await });
    }
    println!("listening");
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    std::future::pending().await
}
