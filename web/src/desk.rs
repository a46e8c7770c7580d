//! The cases on the page and what can be done with them. All work goes through here, by the trust file in use.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use leptos::prelude::*;
use protocol::chain::Guard;
use protocol::report::{ErrorCode, FileFacts, Report, TrustFacts};
use wasm_bindgen_futures::spawn_local;
use web_sys::File;

use crate::alarm::Alarm;
use crate::case::{Case, Outcome, Stage};
use crate::intake::{Handover, Sorted};
use crate::meter::Meter;
use crate::pairing;
use crate::pool::{Job, JobEvent, JobId, Pool, Task};
use crate::trust::TrustText;

/// More at once is a slip of the hand, and would fill the page.
const MAX_FILES_AT_ONCE: usize = 100;
/// As many as a worker accepts for one file.
const MAX_EVIDENCE_AT_ONCE: usize = 16;

/// The cases on the page. Copying it copies handles.
#[derive(Clone, Copy)]
pub(crate) struct Desk {
    /// In the order in which they came.
    pub(crate) cases: RwSignal<Vec<Case>>,
    /// Evidence files that came before their video.
    pub(crate) waiting_evidence: RwSignal<Vec<File>, LocalStorage>,
    /// The operator's trust file. Once it is there the network is not needed any more, except to look evidence up.
    pub(crate) operators_trust: RwSignal<Option<Arc<TrustText>>>,
    /// The trust file that the user put in its place; verifications that begin from now on use it.
    pub(crate) chosen_trust: RwSignal<Option<Arc<TrustText>>>,
    /// Who guards the chains of the trust file in use, once somebody has asked.
    pub(crate) guards: RwSignal<Option<Arc<Vec<Guard>>>>,
    /// Chain roots that do not fit together, whoever noticed it.
    pub(crate) alarm: Alarm,
    pool: StoredValue<Pool, LocalStorage>,
    next: StoredValue<u32>,
}

impl Desk {
    /// An empty desk, with a first worker getting ready.
    pub(crate) fn new() -> Self {
        let operators_trust = RwSignal::new(None);
        let prepared = move |text| operators_trust.set(Some(Arc::new(TrustText { name: None, text })));
        Self {
            cases: RwSignal::new(Vec::new()),
            waiting_evidence: RwSignal::new_local(Vec::new()),
            operators_trust,
            chosen_trust: RwSignal::new(None),
            guards: RwSignal::new(None),
            alarm: Alarm::none(),
            pool: StoredValue::new_local(Pool::new(processors(), Rc::new(prepared))),
            next: StoredValue::new(0),
        }
    }

    /// Takes what was picked or dropped.
    pub(crate) fn take(self, handover: Handover) {
        if handover.is_empty() {
            return;
        }
        spawn_local(async move { self.accept(handover.sort().await) });
    }

    fn accept(self, sorted: Sorted) {
        let Sorted { files, mut evidence, folders } = sorted;
        if files.len() > MAX_FILES_AT_ONCE || evidence.len() > MAX_EVIDENCE_AT_ONCE {
            let names: Vec<String> = files.iter().chain(&evidence).take(2).map(File::name).collect();
            self.refuse(format!("{} …", names.join(", ")), ErrorCode::TooManyFiles);
            return;
        }
        for folder in folders {
            self.refuse(folder, ErrorCode::Directory);
        }
        if files.is_empty() {
            self.give_to_finished(evidence);
            return;
        }
        self.waiting_evidence.update(|waiting| evidence.append(waiting));
        evidence.truncate(MAX_EVIDENCE_AT_ONCE);
        let file_names: Vec<String> = files.iter().map(File::name).collect();
        let evidence_names: Vec<String> = evidence.iter().map(File::name).collect();
        let pairs = pairing::pair(&borrowed(&file_names), &borrowed(&evidence_names));
        for ((file, name), pair) in files.into_iter().zip(file_names).zip(pairs) {
            let own = pair.into_iter().filter_map(|index| evidence.get(index).cloned()).collect();
            let case = self.add(name, Some(file), own);
            self.start(case);
        }
    }

    /// Evidence that came alone: for the finished files that lack it, else for a video that is still to come.
    fn give_to_finished(self, evidence: Vec<File>) {
        let mut rest = Vec::new();
        for file in evidence {
            let cases = self.cases.get_untracked();
            let named: Vec<Case> = cases
                .iter()
                .filter(|case| case.file.with_value(Option::is_some))
                .filter(|case| pairing::names_match(&case.name(), &file.name()))
                .copied()
                .collect();
            let takers = if named.is_empty() {
                cases.into_iter().filter(|case| untrack(|| case.wants_evidence())).collect()
            } else {
                named
            };
            if takers.is_empty() {
                rest.push(file);
                continue;
            }
            for case in takers {
                self.retry_with(case, vec![file.clone()]);
            }
        }
        self.waiting_evidence.update(|waiting| {
            waiting.append(&mut rest);
            waiting.truncate(MAX_EVIDENCE_AT_ONCE);
        });
    }

    /// Verifies a file again, with other evidence in place of what it had.
    pub(crate) fn retry_with(self, case: Case, evidence: Vec<File>) {
        case.evidence.set_value(evidence);
        self.retry(case);
    }

    /// Verifies a file again.
    pub(crate) fn retry(self, case: Case) {
        self.cancel(case);
        self.start(case);
    }

    /// Stops a verification.
    pub(crate) fn cancel(self, case: Case) {
        if let Some(job) = case.job.get_value() {
            self.pool.with_value(|pool| pool.cancel(job));
        }
    }

    /// Takes a file off the page.
    pub(crate) fn remove(self, case: Case) {
        self.cancel(case);
        self.cases.update(|cases| cases.retain(|other| other.id != case.id));
    }

    fn add(self, name: String, file: Option<File>, evidence: Vec<File>) -> Case {
        let id = self.next.get_value();
        self.next.set_value(id.wrapping_add(1));
        let case = Case::new(id, name, file, evidence);
        self.cases.update(|cases| cases.push(case));
        case
    }

    /// Shows what cannot even be begun.
    fn refuse(self, name: String, code: ErrorCode) {
        let case = self.add(name, None, Vec::new());
        self.conclude(case, not_completed(0, code), None, None);
    }

    fn start(self, case: Case) {
        let Some(file) = case.file.get_value() else {
            return;
        };
        case.outcome.set(None);
        case.reading.set(None);
        case.stage.set(Stage::Waiting);
        let meter = RefCell::new(Meter::default());
        // An event of a job that was replaced meanwhile must not speak for its successor.
        let this_job = Rc::new(RefCell::new(None));
        let is_current = {
            let this_job = this_job.clone();
            move || this_job.borrow().is_none() || case.job.get_value() == *this_job.borrow()
        };
        let chosen = self.chosen_trust.get_untracked();
        let own_trust = chosen.as_ref().and_then(|chosen| chosen.name.clone());
        let listener = move |event: JobEvent| {
            if !is_current() {
                return;
            }
            match event {
                JobEvent::Progress(progress) => {
                    let reading = meter.borrow_mut().read(progress, now_monotonic());
                    case.stage.set(progress.phase.into());
                    case.reading.set(Some(reading));
                }
                JobEvent::Finished { report, json } => {
                    self.conclude(case, *report, Some(json), own_trust.clone());
                }
                JobEvent::Failed(code) => {
                    let report = not_completed(case.length.unwrap_or_default(), code);
                    self.conclude(case, report, None, own_trust.clone());
                }
                JobEvent::Looked(_) | JobEvent::Checked(_) | JobEvent::Described(_) => {}
            }
        };
        let evidence = case.evidence.get_value();
        let job = self.submit(Task::Verify { file, evidence }, Rc::new(listener));
        *this_job.borrow_mut() = Some(job);
        case.job.set_value(Some(job));
    }

    /// Finds out who guards the chains of the trust file in use.
    pub(crate) fn ask_for_guards(self) {
        let asked_for = self.chosen_trust.get_untracked();
        let listener = move |event: JobEvent| {
            let is_current = self.chosen_trust.with_untracked(|now| *now == asked_for);
            if let (JobEvent::Described(guards), true) = (event, is_current) {
                self.guards.set(guards.ok().map(Arc::new));
            }
        };
        self.submit(Task::Describe, Rc::new(listener));
    }

    /// Has a task done by the trust file in use.
    pub(crate) fn submit(self, task: Task, listener: Rc<dyn Fn(JobEvent)>) -> JobId {
        let trust =
            self.chosen_trust.with_untracked(|chosen| chosen.as_ref().map(|chosen| chosen.text.clone()));
        self.pool.with_value(|pool| pool.submit(Job { task, trust, listener }))
    }

    fn conclude(self, case: Case, report: Report, json: Option<String>, own_trust: Option<String>) {
        // Without a worker there is nobody else to write the report: the browser does.
        let json = json.unwrap_or_else(|| {
            let value = protocol::to_js(&report).ok();
            let text = value.and_then(|value| js_sys::JSON::stringify(&value).ok());
            text.map(String::from).unwrap_or_default()
        });
        self.alarm.heard_in(&report);
        case.reading.set(None);
        case.job.set_value(None);
        case.outcome.set(Some(Arc::new(Outcome { report, json, own_trust, at: now_wall() })));
        case.stage.set(Stage::Done);
    }
}

/// The report on what no worker could examine.
fn not_completed(length: u64, code: ErrorCode) -> Report {
    Report::not_completed(
        FileFacts { length, sha256: None },
        code,
        TrustFacts { digest: None, operator: None },
    )
}

fn borrowed(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// One worker for each processor that the browser admits to.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive integer")]
fn processors() -> usize {
    window().navigator().hardware_concurrency() as usize
}

/// Milliseconds of a clock that never goes back.
fn now_monotonic() -> f64 {
    window().performance().map_or(0.0, |performance| performance.now())
}

/// Milliseconds since 1970, by the machine's clock.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole milliseconds since 1970")]
pub(crate) fn now_wall() -> u64 {
    js_sys::Date::now() as u64
}
