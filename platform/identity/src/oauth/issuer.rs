//! One authorization server: its settings, ready to use, and its keys.

use std::{sync::Arc, time::Duration};

use fetch::{FetchError, Fetcher};
use jsonwebtoken::Algorithm;
use kernel::Secret;
use tokio::sync::Semaphore;

use super::{
    documents::IssuerReport,
    keys::{Keys, Need},
    opaque::Answers,
    settings::IssuerSettings,
};

/// Questions about opaque tokens at the same time. More are refused: the issuer is asked on behalf of strangers.
const QUESTIONS_MAX: usize = 16;

/// See the module.
pub(crate) struct Issuer {
    pub(crate) alias: String,
    pub(crate) settings: IssuerSettings,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) fetcher: Fetcher,
    pub(crate) keys: Keys,
    pub(crate) answers: Answers,
    pub(crate) questions: Semaphore,
    /// Our secret there, when opaque tokens are asked about.
    pub(crate) client_secret: Option<Secret<String>>,
}

impl Issuer {
    pub(crate) fn new(
        alias: &str,
        settings: &IssuerSettings,
        client_secret: Option<Secret<String>>,
    ) -> Result<Self, FetchError> {
        let cached = settings.introspection.as_ref().map_or(0, |it| it.cache_seconds);
        Ok(Self {
            alias: alias.to_owned(),
            settings: settings.clone(),
            algorithms: settings.algorithms().unwrap_or_default(),
            fetcher: Fetcher::new(&settings.url_rules(), &settings.ca_file)?,
            keys: Keys::new(),
            answers: Answers::new(Duration::from_secs(cached.into())),
            questions: Semaphore::new(QUESTIONS_MAX),
            client_secret,
        })
    }

    /// Brings in keys. What goes wrong is logged; the token is judged by what is here.
    pub(crate) async fn renew_keys(&self, kid: Option<&str>) {
        if let Err(error) = self.keys.renew(&self.fetcher, &self.settings, kid).await {
            tracing::warn!(issuer = self.alias, %error, "the keys of an issuer cannot be fetched");
        }
    }

    /// Whether a caller has to wait for keys; what may be renewed meanwhile is.
    pub(crate) fn must_wait_for(self: &Arc<Self>, kid: Option<&str>) -> bool {
        match self.keys.need(kid) {
            Need::Nothing => false,
            Need::Keys => true,
            Need::Renewal => {
                // Bounded by the timeouts of a fetch; without a runtime the next caller tries again.
                if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                    let issuer = Arc::clone(self);
                    runtime.spawn(async move { issuer.renew_keys(None).await });
                }
                false
            }
        }
    }

    pub(crate) async fn report(&self) -> IssuerReport {
        let renewed = self.keys.renew(&self.fetcher, &self.settings, None).await;
        let keys = match (renewed, self.keys.current()) {
            (Ok(()), Some(set)) if set.len() > 0 => Ok(set.len()),
            (Ok(()), _) => Err("it has no key we could use".to_owned()),
            (Err(error), _) => Err(error.to_string()),
        };
        IssuerReport { alias: self.alias.clone(), url: self.settings.url.clone(), keys }
    }
}
