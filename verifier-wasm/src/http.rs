//! The requests a worker makes: to the page's own server, and to the witnesses that the trust file names. All are bounded
//! in time and size, carry no credentials and follow no redirect.

use js_sys::{Function, Uint8Array};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortController, DedicatedWorkerGlobalScope, Headers, ReadableStreamDefaultReader, Request, RequestCache,
    RequestCredentials, RequestInit, RequestRedirect, Response,
};

/// How long an answer may take. `i32` is what browsers' timers take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Patience(i32);

impl Patience {
    /// A judge in a court's network waits this long for the evidence at most; 64 MiB over 10 Mbit/s take a minute.
    pub const LONG: Self = Self(90_000);
    /// For what is small, and what a verdict can do without (`docs/spec/roots.md`, “Limits”).
    pub const SHORT: Self = Self(10_000);
}

/// Why there is no answer to use.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FetchError {
    /// No connection, a connection that broke, a time-out.
    #[error("the server could not be reached, or did not answer in time")]
    Unreachable,
    /// An answer that promises nothing: overloaded, or an error of its own.
    #[error("the server answered with status {0}")]
    Status(u16),
    /// An answer longer than anything valid.
    #[error("the server's answer is longer than {0} bytes")]
    TooLong(usize),
    /// An answer of another kind than asked for: a web page from a captive portal, for example.
    #[error("the server answered with content of the type “{0}”")]
    ContentType(String),
}

/// What to ask.
pub struct Ask<'a> {
    /// A path on the page's own origin, or an absolute address.
    pub address: &'a str,
    /// Bytes to post; `None` is a GET.
    pub body: Option<&'a [u8]>,
    /// Media type of request (if it has a body) and answer.
    pub media_type: &'a str,
    /// Whether an answer of another type will do: what others serve, whose specification leaves it open.
    pub may_be_any_type: bool,
    /// Longest answer that is read.
    pub max_length: usize,
    /// How long it may take, until its last byte.
    pub patience: Patience,
    /// Whether an answer from the browser's cache will do, as for what never changes.
    pub may_be_cached: bool,
}

/// Asks and returns the whole answer.
///
/// # Errors
///
/// See [`FetchError`].
pub async fn fetch(scope: &DedicatedWorkerGlobalScope, ask: &Ask<'_>) -> Result<Vec<u8>, FetchError> {
    let deadline = Deadline::new(scope, ask.patience)?;
    let request = request(ask, &deadline).map_err(|_| FetchError::Unreachable)?;
    let response: Response = JsFuture::from(scope.fetch_with_request(&request))
        .await
        .map_err(|_| FetchError::Unreachable)?
        .unchecked_into();
    if response.status() != 200 {
        return Err(FetchError::Status(response.status()));
    }
    let content_type = response.headers().get("content-type").ok().flatten().unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !ask.may_be_any_type && !essence.eq_ignore_ascii_case(ask.media_type) {
        return Err(FetchError::ContentType(essence.chars().take(80).collect()));
    }
    read_body(&response, ask.max_length).await
}

fn request(ask: &Ask<'_>, deadline: &Deadline) -> Result<Request, JsValue> {
    let headers = Headers::new()?;
    headers.set("accept", ask.media_type)?;
    let init = RequestInit::new();
    init.set_cache(if ask.may_be_cached { RequestCache::Default } else { RequestCache::NoStore });
    init.set_credentials(RequestCredentials::Omit);
    init.set_redirect(RequestRedirect::Error);
    init.set_signal(Some(&deadline.controller.signal()));
    if let Some(body) = ask.body {
        headers.set("content-type", ask.media_type)?;
        init.set_method("POST");
        init.set_body(&Uint8Array::from(body));
    }
    init.set_headers(&headers);
    Request::new_with_str_and_init(ask.address, &init)
}

async fn read_body(response: &Response, max_length: usize) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    let Some(stream) = response.body() else {
        return Ok(body);
    };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    loop {
        let result = JsFuture::from(reader.read()).await.map_err(|_| FetchError::Unreachable)?;
        let member = |name: &str| js_sys::Reflect::get(&result, &JsValue::from_str(name));
        if member("done").is_ok_and(|done| done.is_truthy()) {
            return Ok(body);
        }
        let chunk: Uint8Array = member("value").map_err(|_| FetchError::Unreachable)?.unchecked_into();
        let begin = body.len();
        let length = begin.saturating_add(chunk.byte_length() as usize);
        if length > max_length {
            // The connection goes with the request; whether the browser confirms that is of no interest.
            drop(reader.cancel());
            return Err(FetchError::TooLong(max_length));
        }
        body.resize(length, 0);
        if let Some(free) = body.get_mut(begin..) {
            chunk.copy_to(free);
        }
    }
}

/// Aborts a request when patience ends. `AbortSignal.timeout` would do, but is younger than the browsers that
/// courts use.
struct Deadline {
    scope: DedicatedWorkerGlobalScope,
    controller: AbortController,
    timer: i32,
    _abort: Closure<dyn FnMut()>,
}

impl Deadline {
    fn new(scope: &DedicatedWorkerGlobalScope, patience: Patience) -> Result<Self, FetchError> {
        let controller = AbortController::new().map_err(|_| FetchError::Unreachable)?;
        let aborting = controller.clone();
        let abort = Closure::<dyn FnMut()>::new(move || aborting.abort());
        let timer = scope
            .set_timeout_with_callback_and_timeout_and_arguments_0(
                abort.as_ref().unchecked_ref::<Function>(),
                patience.0,
            )
            .map_err(|_| FetchError::Unreachable)?;
        Ok(Self { scope: scope.clone(), controller, timer, _abort: abort })
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.scope.clear_timeout_with_handle(self.timer);
    }
}
