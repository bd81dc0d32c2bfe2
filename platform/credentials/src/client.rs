//! Who we are at an authorization server: registered before, named by our metadata document, or registered now.

use fetch::{Fetcher, Metadata};
use kernel::Secret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use vault::Vault;

use crate::{AuthorizationCodeSettings, CredentialsError, discovery::failed};

/// A client at one issuer; never used at another.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: Option<Secret<String>>,
    pub(crate) proof: Proof,
}

/// How a client proves itself at the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Proof {
    None,
    Basic,
    Post,
}

#[derive(Deserialize)]
struct Registered {
    client_id: String,
    client_secret: Option<Secret<String>>,
    token_endpoint_auth_method: Option<String>,
}

/// Chooses or makes the client for one login.
pub(crate) async fn choose(
    fetcher: &Fetcher,
    settings: &AuthorizationCodeSettings,
    server: &Metadata,
    redirect_uri: &str,
    vault: &Vault,
) -> Result<Client, CredentialsError> {
    if !settings.client_id.is_empty() {
        let secret = match settings.client_secret.as_str() {
            "" => None,
            reference => Some(vault.resolve(reference)?),
        };
        let proof = if secret.is_some() { best_proof(server) } else { Proof::None };
        return Ok(Client { id: settings.client_id.clone(), secret, proof });
    }
    if !settings.client_metadata_url.is_empty() && server.client_id_metadata_document_supported {
        return Ok(Client { id: settings.client_metadata_url.clone(), secret: None, proof: Proof::None });
    }
    match &server.registration_endpoint {
        Some(url) => register(fetcher, server, url, redirect_uri).await,
        None => {
            let words = "its authorization server takes no client that is not registered; set client_id";
            Err(CredentialsError::Discovery(words.into()))
        }
    }
}

async fn register(
    fetcher: &Fetcher,
    server: &Metadata,
    url: &str,
    redirect_uri: &str,
) -> Result<Client, CredentialsError> {
    let methods = &server.token_endpoint_auth_methods_supported;
    let method = if methods.iter().any(|it| it == "none") { "none" } else { best_proof(server).as_str() };
    let wanted = json!({
        "client_name": "core-mcp",
        "application_type": "native",
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
    });
    let made: Registered = fetcher.post("registration_endpoint", url, &wanted).await.map_err(failed)?;
    let proof = match (&made.client_secret, made.token_endpoint_auth_method.as_deref().unwrap_or(method)) {
        (None, _) | (_, "none") => Proof::None,
        (Some(_), "client_secret_post") => Proof::Post,
        (Some(_), _) => Proof::Basic,
    };
    Ok(Client { id: made.client_id, secret: made.client_secret, proof })
}

/// RFC 8414: a server that says nothing takes the header.
fn best_proof(server: &Metadata) -> Proof {
    let methods = &server.token_endpoint_auth_methods_supported;
    let takes = |name: &str| methods.iter().any(|it| it == name);
    let only_post = !takes("client_secret_basic") && takes("client_secret_post");
    if only_post { Proof::Post } else { Proof::Basic }
}

impl Proof {
    fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
        }
    }
}
