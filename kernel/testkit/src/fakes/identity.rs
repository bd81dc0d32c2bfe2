//! Who is who, from a list.

use std::{collections::HashMap, sync::Arc};

use kernel::{ErrorKind, Principal, PrincipalKind, Secret, ToolError};
use parking_lot::Mutex;
use pipeline::seams::Identity;

/// Knows exactly the tokens it gave out.
#[derive(Default)]
pub struct FakeIdentity {
    tokens: Mutex<HashMap<String, Arc<Principal>>>,
}

impl FakeIdentity {
    /// Adds a principal with these roles; its token is `token-of-{id}`.
    pub fn add(&self, id: &str, kind: PrincipalKind, roles: &[&str]) -> Secret<String> {
        let token = format!("token-of-{id}");
        let mut roles: Vec<String> = roles.iter().map(|it| (*it).to_owned()).collect();
        roles.sort();
        let principal = Principal { id: id.to_owned(), kind, roles, token_id: Some(format!("t-{id}")) };
        self.tokens.lock().insert(token.clone(), Arc::new(principal));
        Secret::new(token)
    }

    /// Makes the token of `id` worthless from now on.
    pub fn revoke(&self, id: &str) {
        self.tokens.lock().retain(|_, principal| principal.id != id);
    }
}

impl Identity for FakeIdentity {
    fn authenticate(&self, token: &Secret<String>) -> Result<Arc<Principal>, ToolError> {
        self.tokens
            .lock()
            .get(token.expose())
            .cloned()
            .ok_or_else(|| ToolError::new(ErrorKind::AuthenticationFailed, "the token is not valid"))
    }

    fn still_valid(&self, principal: &Principal) -> bool {
        self.tokens.lock().values().any(|it| it.id == principal.id)
    }

    fn current(&self, id: &str) -> Result<Arc<Principal>, ToolError> {
        let known = self.tokens.lock().values().find(|it| it.id == id).cloned();
        known.ok_or_else(|| ToolError::new(ErrorKind::AuthenticationFailed, "no such principal"))
    }
}
