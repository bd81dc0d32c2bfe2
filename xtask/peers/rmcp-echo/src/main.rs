//! An echo tool on bare rmcp 3.9.0: stateless, JSON answers, no authentication, no policy, no audit.
//!
//! `rmcp-echo [ADDRESS]` prints the address it listens on and serves `/mcp` there. It is as fast as we
//! can make it: what our door is compared with is the SDK, not a careless use of it.

use std::{net::SocketAddr, sync::Arc};

use axum::serve::ListenerExt;
use rmcp::{
    Json, ServerHandler,
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    model::{ServerCapabilities, ServerConfig},
    tool, tool_handler, tool_router,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
struct EchoParams {
    /// What to say.
    message: String,
}

#[derive(Serialize, JsonSchema)]
struct Said {
    /// What was said.
    text: String,
}

#[derive(Clone)]
struct Echo {
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl Echo {
    fn new() -> Self {
        Self { tool_router: Self::tool_router() }
    }

    #[tool(description = "Says it again.")]
    async fn echo(&self, Parameters(EchoParams { message }): Parameters<EchoParams>) -> Json<Said> {
        Json(Said { text: message })
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
    let address: SocketAddr = address.parse().map_err(std::io::Error::other)?;
    let config =
        StreamableHttpServerConfig::default().with_legacy_session_mode(false).with_json_response(true);
    // The router is built once: building it per request is the careless use.
    let echo = Echo::new();
    let service =
        StreamableHttpService::new(move || Ok(echo.clone()), Arc::new(NeverSessionManager::default()), config);
    let listener = tokio::net::TcpListener::bind(address).await?.tap_io(|socket| {
        if let Err(error) = socket.set_nodelay(true) {
            eprintln!("no TCP_NODELAY: {error}");
        }
    });
    println!("{}", axum::serve::Listener::local_addr(&listener)?);
    axum::serve(listener, axum::Router::new().nest_service("/mcp", service)).await
}
