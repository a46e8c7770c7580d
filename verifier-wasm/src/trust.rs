//! The operator's trust file, loaded from the page's own server.

use std::cell::RefCell;
use std::rc::Rc;

use evidence::report::ErrorCode;
use evidence::{MAX_TRUST_LEN, TrustFile};
use web_sys::DedicatedWorkerGlobalScope;

use crate::http::{Ask, FetchError, Patience, fetch};

const PATH: &str = "/trust.json";

/// Loads the trust file once and keeps it, so that a worker that started with the page can verify after the network
/// has gone.
#[derive(Clone)]
pub struct TrustLoader {
    scope: DedicatedWorkerGlobalScope,
    loaded: Rc<RefCell<Option<TrustFile>>>,
}

impl TrustLoader {
    /// A loader that has loaded nothing.
    pub fn new(scope: DedicatedWorkerGlobalScope) -> Self {
        Self { scope, loaded: Rc::default() }
    }

    /// The trust file to judge by: the one `given`, which then is the only one that counts, else the operator's, from
    /// memory or from the server.
    ///
    /// # Errors
    ///
    /// `trust-unavailable` if there is none, `trust-unreadable` if it is not what the specification says.
    pub async fn load(&self, given: Option<&str>) -> Result<TrustFile, ErrorCode> {
        if let Some(text) = given {
            return TrustFile::parse(text.as_bytes()).map_err(|_| ErrorCode::TrustUnreadable);
        }
        if let Some(trust) = self.loaded.borrow().clone() {
            return Ok(trust);
        }
        let ask = Ask {
            address: PATH,
            body: None,
            media_type: "application/json",
            may_be_any_type: false,
            max_length: MAX_TRUST_LEN,
            patience: Patience::LONG,
            may_be_cached: false,
        };
        let bytes = fetch(&self.scope, &ask).await.map_err(|error| match error {
            FetchError::Unreachable | FetchError::Status(_) => ErrorCode::TrustUnavailable,
            FetchError::TooLong(_) | FetchError::ContentType(_) => ErrorCode::TrustUnreadable,
        })?;
        let trust = TrustFile::parse(&bytes).map_err(|_| ErrorCode::TrustUnreadable)?;
        *self.loaded.borrow_mut() = Some(trust.clone());
        Ok(trust)
    }
}
