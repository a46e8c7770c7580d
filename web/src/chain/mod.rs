//! The notary chain as this browser sees it: looks again and again while its page is shown, and checks entries.

pub(crate) mod entry;
pub(crate) mod growth;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use leptos::prelude::*;
use protocol::chain::{Checked, Look, ToCheck};
use protocol::report::ErrorCode;
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::File;

use crate::desk::{Desk, now_wall};
use crate::pool::{JobEvent, Task};

/// Between two looks. The service publishes at least this often.
const INTERVAL: Duration = Duration::from_secs(10);
/// Longer than any receipt (`docs/spec/log.md`, “Limits”: 532,715 bytes).
const MAX_RECEIPT_LEN: f64 = 600_000.0;

/// What a look has found, and when.
#[derive(Clone)]
pub(crate) struct Seen {
    /// What it found.
    pub(crate) look: Arc<Look>,
    /// When, in milliseconds since 1970.
    pub(crate) at: u64,
}

/// What is being checked, or was.
#[derive(Clone)]
pub(crate) struct Check {
    /// Name of the receipt's file, or what was typed.
    pub(crate) subject: String,
    /// Where it stands.
    pub(crate) progress: CheckProgress,
}

/// Where a check stands.
#[derive(Clone)]
pub(crate) enum CheckProgress {
    /// Under way.
    Running,
    /// Over.
    Done(Arc<Checked>),
    /// Over without an answer.
    Stopped(ErrorCode),
    /// The file is no receipt: too long, or no text.
    NoReceipt,
}

/// The chain's page. Copying it copies handles.
#[derive(Clone, Copy)]
pub(crate) struct ChainDesk {
    /// The newest look; what an earlier one found stays until then.
    pub(crate) seen: RwSignal<Option<Seen>>,
    /// The newest look failed: the program could not do its work.
    pub(crate) has_crashed: RwSignal<bool>,
    /// The newest check.
    pub(crate) check: RwSignal<Option<Check>>,
    /// Milliseconds since 1970, kept up to date while the page is shown.
    pub(crate) now: RwSignal<u64>,
    desk: Desk,
    /// Tells the checks apart: the answer to one that was replaced is not shown.
    current: StoredValue<u32>,
    /// Tells the times apart that the page was shown: only the present one goes on looking.
    watch: StoredValue<u32>,
}

impl ChainDesk {
    /// The chain, not yet looked at.
    pub(crate) fn new(desk: Desk) -> Self {
        Self {
            seen: RwSignal::new(None),
            has_crashed: RwSignal::new(false),
            check: RwSignal::new(None),
            now: RwSignal::new(now_wall()),
            desk,
            current: StoredValue::new(0),
            watch: StoredValue::new(0),
        }
    }

    /// Looks at the chain as long as the present owner lives.
    pub(crate) fn watch(self) {
        let watch = self.watch.get_value().wrapping_add(1);
        self.watch.set_value(watch);
        let clock = set_interval_with_handle(move || self.now.set(now_wall()), Duration::from_secs(1)).ok();
        on_cleanup(move || {
            self.watch.set_value(watch.wrapping_add(1));
            if let Some(clock) = clock {
                clock.clear();
            }
        });
        self.look(watch);
        // Another trust file, another answer.
        Effect::new(move |before: Option<()>| {
            self.desk.chosen_trust.track();
            if before.is_some() {
                self.look_once();
            }
        });
    }

    /// Looks, and again a while after the answer. A page that nobody sees asks nobody.
    fn look(self, watch: u32) {
        if self.watch.get_value() != watch {
            return;
        }
        let again = move || set_timeout(move || self.look(watch), INTERVAL);
        if document().hidden() && self.seen.with_untracked(Option::is_some) {
            again();
        } else {
            self.submit_look(again);
        }
    }

    fn look_once(self) {
        self.submit_look(|| ());
    }

    fn submit_look(self, over: impl Fn() + 'static) {
        let asked_for = self.desk.chosen_trust.get_untracked();
        let listener = move |event: JobEvent| {
            let is_current = self.desk.chosen_trust.with_untracked(|now| *now == asked_for);
            match event {
                JobEvent::Looked(look) => {
                    if let Ok(verified) = &look.verified {
                        self.desk.alarm.heard(verified.alarm.as_ref(), verified.published.is_some());
                    }
                    self.has_crashed.set(false);
                    self.now.set(now_wall());
                    // What another trust file has made of it does not stand beside the name of this one.
                    if !is_current {
                        return over();
                    }
                    self.seen.set(Some(Seen { look: Arc::from(look), at: now_wall() }));
                }
                JobEvent::Failed(_) => self.has_crashed.set(true),
                _ => return,
            }
            over();
        };
        self.desk.submit(Task::Look, Rc::new(listener));
    }

    /// Checks a receipt that was picked or dropped.
    pub(crate) fn check_receipt(self, file: &File) {
        let name = file.name();
        let number = self.begin(name.clone());
        let file = file.clone();
        spawn_local(async move {
            match read_receipt(&file).await {
                Some(text) => self.submit_check(number, name, ToCheck::Receipt(text)),
                None => self.conclude(number, name, CheckProgress::NoReceipt),
            }
        });
    }

    /// Checks an entry.
    pub(crate) fn check_entry(self, subject: String, what: ToCheck) {
        let number = self.begin(subject.clone());
        self.submit_check(number, subject, what);
    }

    fn begin(self, subject: String) -> u32 {
        let number = self.current.get_value().wrapping_add(1);
        self.current.set_value(number);
        self.check.set(Some(Check { subject, progress: CheckProgress::Running }));
        number
    }

    fn submit_check(self, number: u32, subject: String, what: ToCheck) {
        let listener = move |event: JobEvent| match event {
            JobEvent::Checked(checked) => {
                self.desk.alarm.heard(checked.alarm.as_ref(), false);
                self.conclude(number, subject.clone(), CheckProgress::Done(Arc::from(checked)));
            }
            JobEvent::Failed(code) => self.conclude(number, subject.clone(), CheckProgress::Stopped(code)),
            _ => {}
        };
        self.desk.submit(Task::Check(what), Rc::new(listener));
    }

    fn conclude(self, number: u32, subject: String, progress: CheckProgress) {
        if self.current.get_value() == number {
            self.check.set(Some(Check { subject, progress }));
        }
    }
}

/// The text of a file that may be a receipt.
async fn read_receipt(file: &File) -> Option<String> {
    if file.size() > MAX_RECEIPT_LEN {
        return None;
    }
    let buffer = JsFuture::from(file.array_buffer()).await.ok()?.dyn_into::<js_sys::ArrayBuffer>().ok()?;
    // Not `Blob.text`, which mends what is no UTF-8: a receipt is checked as it is.
    String::from_utf8(js_sys::Uint8Array::new(&buffer).to_vec()).ok()
}
