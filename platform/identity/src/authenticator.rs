//! Every way to prove who calls, behind the one seam the gate knows.

use std::sync::Arc;

use kernel::{BoxFuture, ErrorKind, Principal, Secret, ToolError};
use parking_lot::RwLock;
use pipeline::seams::{Credentials, Identity, Issuers, NotAdmitted};

use crate::{
    CertificateMapping, IdentityStore, OAuth,
    certificates::{self, Certificates},
    text::TOKEN_PREFIX,
};

/// Our own tokens, access tokens of foreign authorization servers, and client certificates.
///
/// A token decides alone; a certificate counts when no token is shown, and for tokens that are bound to one.
pub struct Authenticator {
    store: Arc<IdentityStore>,
    oauth: RwLock<Arc<OAuth>>,
    certificates: RwLock<Arc<Certificates>>,
}

impl Authenticator {
    /// Joins the three.
    pub fn new(store: Arc<IdentityStore>, oauth: OAuth, mapped: &[CertificateMapping]) -> Self {
        Self {
            store,
            oauth: RwLock::new(Arc::new(oauth)),
            certificates: RwLock::new(Arc::new(Certificates::new(mapped))),
        }
    }

    /// Puts changed settings in force; running sessions of foreign tokens have to show them again.
    pub fn replace(&self, oauth: OAuth, mapped: &[CertificateMapping]) {
        *self.oauth.write() = Arc::new(oauth);
        *self.certificates.write() = Arc::new(Certificates::new(mapped));
    }

    fn oauth(&self) -> Arc<OAuth> {
        Arc::clone(&self.oauth.read())
    }

    fn by_certificate(&self, shown: &Credentials<'_>) -> Result<Arc<Principal>, NotAdmitted> {
        let nobody = |words| ToolError::new(ErrorKind::AuthenticationFailed, words);
        let Some(certificate) = shown.certificate else {
            return Err(nobody("no token was shown").into());
        };
        let mapped = Arc::clone(&self.certificates.read());
        let Some(name) = mapped.principal_of(certificate) else {
            return Err(nobody("the certificate belongs to nobody here").into());
        };
        let holder = self.store.by_name(name)?;
        let token_id = Some(certificates::public_id(certificate));
        Ok(Arc::new(Principal { token_id, ..holder }))
    }
}

impl Identity for Authenticator {
    fn authenticate(&self, token: &Secret<String>) -> Result<Arc<Principal>, ToolError> {
        let shown = Credentials { token: Some(token), ..Credentials::default() };
        self.admit(&shown).map_err(|refused| refused.error)
    }

    fn admit(&self, shown: &Credentials<'_>) -> Result<Arc<Principal>, NotAdmitted> {
        match shown.token {
            None => self.by_certificate(shown),
            Some(token) if is_ours(token) || self.oauth().published().authorization_servers.is_empty() => {
                Ok(self.store.authenticate(token)?)
            }
            Some(token) => self.oauth().admit(token.expose(), shown),
        }
    }

    fn prepare<'a>(&'a self, shown: &'a Credentials<'a>) -> Option<BoxFuture<'a, ()>> {
        let token = shown.token.filter(|it| !is_ours(it))?;
        self.oauth().prepare(token.expose())
    }

    fn still_valid(&self, principal: &Principal) -> bool {
        let id = principal.token_id.as_deref().unwrap_or_default();
        match certificates::is_public_id(id) {
            true => {
                let mapped = Arc::clone(&self.certificates.read());
                let unnamed = Principal { token_id: None, ..principal.clone() };
                mapped.names(&principal.id) && self.store.still_valid(&unnamed)
            }
            false if id.contains(':') => self.oauth().still_valid(principal).unwrap_or(false),
            false => self.store.still_valid(principal),
        }
    }

    /// Only principals of ours: what a foreign token lends ends with the token.
    fn current(&self, id: &str) -> Result<Arc<Principal>, ToolError> {
        self.store.current(id)
    }

    fn with_more_scope(&self, principal: &Principal) -> Vec<(String, Principal)> {
        self.oauth().with_more_scope(principal)
    }

    fn issuers(&self) -> Arc<Issuers> {
        self.oauth().published()
    }
}

fn is_ours(token: &Secret<String>) -> bool {
    token.expose().starts_with(TOKEN_PREFIX)
}
