//! The verifier's worker: reads the dropped file piece by piece, hashes it, asks for evidence, and lets
//! `evidence` decide. It also looks at the chain itself. It has no verification rules of its own; it never sends a byte of
//! a file anywhere.
//!
//! | module | owns |
//! | --- | --- |
//! | [`blob`] | reading pieces of a file, and telling *unreadable* from *changed* |
//! | [`container`] | the file's own fragment boundaries |
//! | [`sweep`], [`hashing`] | many digests in one pass, reading ahead, constant memory |
//! | [`http`], [`lookup`], [`trust`], [`roots`] | all requests |
//! | [`session`] | one verification |
//! | [`mod@look`], [`mod@check`], [`guard`] | the chain itself: its root, one entry, who guards it |
//! | [`outbox`] | events to the page |

pub mod blob;
pub mod check;
pub mod container;
pub mod guard;
pub mod hashing;
pub mod http;
pub mod look;
pub mod lookup;
pub mod outbox;
pub mod roots;
pub mod session;
pub mod sweep;
pub mod trust;

use std::cell::RefCell;
use std::rc::Rc;

use protocol::chain::Pin;
use protocol::report::Report;
use protocol::{BUILD_ID, Command, Event};
use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use wasm_bindgen_futures::spawn_local;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

use crate::check::check;
use crate::guard::guards;
use crate::look::look;
use crate::outbox::Outbox;
use crate::session::{CancelFlag, Session};
use crate::trust::TrustLoader;

/// Runs the message loop of a dedicated worker: listens first, then says that it is ready.
///
/// # Panics
///
/// If it is run anywhere but in a dedicated worker; the worker then dies, and the page says so.
pub fn serve() {
    let Ok(scope) = js_sys::global().dyn_into::<DedicatedWorkerGlobalScope>() else {
        panic!("the verifier's program runs in a dedicated worker only");
    };
    let outbox = Outbox::new(scope.clone());
    report_panics();
    let trust = TrustLoader::new(scope.clone());
    let running: Rc<RefCell<Option<CancelFlag>>> = Rc::default();

    let listener = {
        let (scope, outbox, trust) = (scope.clone(), outbox.clone(), trust.clone());
        Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
            match protocol::from_js::<Command>(message.data()) {
                Ok(Command::Cancel) => {
                    if let Some(flag) = running.borrow().as_ref() {
                        flag.cancel();
                    }
                }
                Ok(command) => {
                    let cancelled = CancelFlag::default();
                    if running.borrow_mut().replace(cancelled.clone()).is_some() {
                        panic!("a worker does one piece of work at a time");
                    }
                    let session = Session {
                        scope: scope.clone(),
                        outbox: outbox.clone(),
                        trust: trust.clone(),
                        cancelled,
                    };
                    let running = running.clone();
                    spawn_local(async move {
                        let event = answer(&session, command).await;
                        running.borrow_mut().take();
                        if let Some(event) = event {
                            session.outbox.post(&event);
                        }
                    });
                }
                Err(error) => panic!("the page sent what is no command: {error}"),
            }
        })
    };
    scope.set_onmessage(Some(listener.as_ref().unchecked_ref()));
    // The listener lives as long as the worker.
    listener.forget();
    outbox.post(&Event::Ready { build: BUILD_ID.to_owned() });
    // A file that is verified after the network has gone needs the trust file from before; whether that works
    // now is of interest only then.
    spawn_local(async move {
        let loaded = trust.load(None).await.ok();
        if let Some(text) = loaded.and_then(|trust| String::from_utf8(trust.bytes().to_vec()).ok()) {
            outbox.post(&Event::Prepared { trust: text });
        }
    });
}

/// Does what the page asks for; none only for what is over without an answer.
async fn answer(session: &Session, command: Command) -> Option<Event> {
    match command {
        Command::Verify { file, evidence, trust, pins } => {
            let (report, pin) = session.verify(&file, &evidence, trust.as_deref(), bytes(pins)).await;
            Some(finished(report, pin))
        }
        Command::Look { trust, pins } => {
            let trust = session.trust.load(trust.as_deref()).await;
            let look = look(&session.scope, trust, bytes(pins), &session.cancelled).await.ok()?;
            Some(Event::Looked(Box::new(look)))
        }
        Command::Check { what, trust, pins } => {
            let trust = session.trust.load(trust.as_deref()).await;
            let checked = check(&session.scope, &what, trust, bytes(pins), &session.cancelled).await.ok()?;
            Some(Event::Checked(Box::new(checked)))
        }
        Command::Describe { trust } => {
            let trust = session.trust.load(trust.as_deref()).await;
            Some(Event::Described(trust.map(|trust| guards(&trust))))
        }
        // Heard by the listener, whatever is under way.
        Command::Cancel => None,
    }
}

fn bytes(pins: Vec<String>) -> Vec<Vec<u8>> {
    pins.into_iter().map(String::into_bytes).collect()
}

fn finished(report: Report, pin: Option<Pin>) -> Event {
    match serde_json::to_string(&report) {
        Ok(json) => Event::Finished { report: Box::new(report), json, pin },
        Err(error) => panic!("a report could not be written as JSON: {error}"),
    }
}

/// A panic inside a task would end only the task, and leave the page waiting for ever.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        if let Ok(scope) = js_sys::global().dyn_into::<DedicatedWorkerGlobalScope>() {
            Outbox::new(scope).post(&Event::Crashed { message: panic.to_string() });
        }
    }));
}
