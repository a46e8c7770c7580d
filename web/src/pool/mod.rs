//! The workers: starts them, talks to them, and passes on what they say.

mod schedule;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::set_timeout;
use protocol::chain::{Checked, Guard, Look, Pin, ToCheck};
use protocol::report::{ErrorCode, Report};
use protocol::{BUILD_ID, Command, Event, Progress, WORKER_PROGRAM};
use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use web_sys::{File, MessageEvent, Worker, WorkerOptions, WorkerType};

use crate::pins::Pins;
use schedule::{Action, Schedule, WorkerId};

pub(crate) use schedule::JobId;

/// A worker that does not obey a cancellation within this time is ended: it hangs in a read.
const PATIENCE: Duration = Duration::from_secs(3);

/// What happens to a job.
pub(crate) enum JobEvent {
    /// It is this far.
    Progress(Progress),
    /// It is over.
    Finished {
        /// The verdict and all behind it.
        report: Box<Report>,
        /// The report as the command line prints it.
        json: String,
    },
    /// The look at the chain is over.
    Looked(Box<Look>),
    /// The check of an entry is over.
    Checked(Box<Checked>),
    /// Who guards the chains of the trust file; the code where there is none.
    Described(Result<Vec<Guard>, ErrorCode>),
    /// It is over without a result.
    Failed(ErrorCode),
}

/// What there is to do.
pub(crate) enum Task {
    /// Verify a file.
    Verify {
        /// The file.
        file: File,
        /// Evidence files that were supplied with it.
        evidence: Vec<File>,
    },
    /// Look at the chain.
    Look,
    /// Check an entry of the chain.
    Check(ToCheck),
    /// Say who guards the chains of the trust file.
    Describe,
}

/// A task, and what belongs to it.
pub(crate) struct Job {
    /// What there is to do.
    pub(crate) task: Task,
    /// The trust file to judge by, if it is not the operator's.
    pub(crate) trust: Option<String>,
    /// Who wants to know.
    pub(crate) listener: Rc<dyn Fn(JobEvent)>,
}

/// Has work done by workers.
#[derive(Clone)]
pub(crate) struct Pool {
    inner: Rc<RefCell<Inner>>,
    /// Called with the operator's trust file, once there is one: from then on no worker needs the network.
    prepared: Rc<dyn Fn(String)>,
}

struct Inner {
    schedule: Schedule,
    workers: BTreeMap<WorkerId, Running>,
    jobs: BTreeMap<JobId, Job>,
    /// The pins that went with each job that a worker does.
    passed: BTreeMap<JobId, Pins>,
    next_job: u32,
    /// The operator's trust file, as the first worker loaded it; every later one judges by the same.
    trust: Option<String>,
}

/// A worker and the listeners that must live as long as it does.
struct Running {
    worker: Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(web_sys::Event)>,
}

impl Pool {
    /// A pool of at most `limit` workers, of which one starts at once.
    ///
    /// `prepared` is called once with the operator's trust file; from then on no worker needs the network.
    pub(crate) fn new(limit: usize, prepared: Rc<dyn Fn(String)>) -> Self {
        let inner = Rc::new(RefCell::new(Inner {
            schedule: Schedule::new(limit),
            workers: BTreeMap::new(),
            jobs: BTreeMap::new(),
            passed: BTreeMap::new(),
            next_job: 0,
            trust: None,
        }));
        let pool = Self { inner, prepared };
        let actions = pool.inner.borrow_mut().schedule.warm_up();
        pool.perform(actions);
        pool
    }

    /// Has a job done as soon as a worker is free.
    pub(crate) fn submit(&self, job: Job) -> JobId {
        let (id, actions) = {
            let mut inner = self.inner.borrow_mut();
            let id = JobId(inner.next_job);
            inner.next_job = inner.next_job.wrapping_add(1);
            inner.jobs.insert(id, job);
            (id, inner.schedule.submit(id))
        };
        self.perform(actions);
        id
    }

    /// Stops a job; its listener hears of it.
    pub(crate) fn cancel(&self, job: JobId) {
        let actions = self.inner.borrow_mut().schedule.cancel(job);
        let is_running = !actions.is_empty() && self.inner.borrow().schedule.worker_of(job).is_some();
        self.perform(actions);
        if is_running {
            let pool = self.clone();
            set_timeout(move || pool.end_if_still_busy(job), PATIENCE);
        }
    }

    fn end_if_still_busy(&self, job: JobId) {
        let stuck = self.inner.borrow().schedule.worker_of(job);
        if let Some(worker) = stuck {
            self.conclude(job, JobEvent::Failed(ErrorCode::Cancelled));
            let actions = self.inner.borrow_mut().schedule.died(worker);
            self.perform(actions);
        }
    }

    /// Carries out what the schedule decided. Listeners and workers are called without holding any borrow, since
    /// they may call back.
    fn perform(&self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Start(worker) => self.start(worker),
                Action::Assign(worker, job) => self.assign(worker, job),
                Action::Interrupt(worker) => self.send(worker, &Command::Cancel),
                Action::End(worker) => {
                    if let Some(running) = self.inner.borrow_mut().workers.remove(&worker) {
                        running.worker.set_onmessage(None);
                        running.worker.set_onerror(None);
                        running.worker.terminate();
                        // Its listener may be what is running now; it must not be dropped under its own feet.
                        set_timeout(move || drop(running), Duration::ZERO);
                    }
                }
                Action::Cancelled(job) => self.conclude(job, JobEvent::Failed(ErrorCode::Cancelled)),
                Action::Crashed(job) => self.conclude(job, JobEvent::Failed(ErrorCode::WorkerCrashed)),
            }
        }
    }

    fn start(&self, id: WorkerId) {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let address = format!("./{WORKER_PROGRAM}?build={BUILD_ID}");
        let Ok(worker) = Worker::new_with_options(&address, &options) else {
            // Not from here: the caller is in the middle of the schedule's actions.
            let pool = self.clone();
            set_timeout(move || pool.died(id), Duration::ZERO);
            return;
        };
        let pool = self.downgrade();
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
            if let Some(pool) = pool() {
                pool.heard(id, &message);
            }
        });
        let pool = self.downgrade();
        let on_error = Closure::<dyn FnMut(web_sys::Event)>::new(move |_| {
            if let Some(pool) = pool() {
                pool.died(id);
            }
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onmessageerror(Some(on_error.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        let running = Running { worker, _on_message: on_message, _on_error: on_error };
        self.inner.borrow_mut().workers.insert(id, running);
    }

    /// The pool, as long as somebody else holds it: its own workers' listeners must not keep it alive.
    fn downgrade(&self) -> impl Fn() -> Option<Self> + use<> {
        let (inner, prepared) = (Rc::downgrade(&self.inner), self.prepared.clone());
        move || Some(Self { inner: inner.upgrade()?, prepared: prepared.clone() })
    }

    fn heard(&self, worker: WorkerId, message: &MessageEvent) {
        match protocol::from_js::<Event>(message.data()) {
            Ok(Event::Ready { build }) if build == BUILD_ID => {
                let actions = self.inner.borrow_mut().schedule.ready(worker);
                self.perform(actions);
            }
            Ok(Event::Prepared { trust }) => {
                let is_first = {
                    let known = &mut self.inner.borrow_mut().trust;
                    let is_first = known.is_none();
                    known.get_or_insert_with(|| trust.clone());
                    is_first
                };
                if is_first {
                    (self.prepared)(trust);
                }
            }
            Ok(Event::Progress(progress)) => {
                let job = self.inner.borrow().schedule.job_of(worker);
                if let Some(listener) = job.and_then(|job| self.listener(job)) {
                    listener(JobEvent::Progress(progress));
                }
            }
            Ok(Event::Finished { report, json, pin }) => {
                self.finished(worker, pin.as_ref(), JobEvent::Finished { report, json });
            }
            Ok(Event::Looked(look)) => {
                let pin = look.pin.clone();
                self.finished(worker, pin.as_ref(), JobEvent::Looked(look));
            }
            Ok(Event::Checked(checked)) => {
                let pin = checked.pin.clone();
                self.finished(worker, pin.as_ref(), JobEvent::Checked(checked));
            }
            Ok(Event::Described(guards)) => self.finished(worker, None, JobEvent::Described(guards)),
            Ok(Event::Ready { build }) => {
                self.lost(worker, &format!("the worker is of build {build}, the page of build {BUILD_ID}"));
            }
            Ok(Event::Crashed { message }) => self.lost(worker, &message),
            Err(error) => self.lost(worker, &error.to_string()),
        }
    }

    fn finished(&self, worker: WorkerId, pin: Option<&Pin>, event: JobEvent) {
        let (job, actions) = self.inner.borrow_mut().schedule.finished(worker);
        if let Some(job) = job {
            let passed = self.inner.borrow_mut().passed.remove(&job);
            if let Some((passed, pin)) = passed.zip(pin) {
                passed.keep(pin);
            }
            self.conclude(job, event);
        }
        self.perform(actions);
    }

    fn lost(&self, worker: WorkerId, why: &str) {
        leptos::logging::error!("{why}");
        self.died(worker);
    }

    fn died(&self, worker: WorkerId) {
        let actions = self.inner.borrow_mut().schedule.died(worker);
        self.perform(actions);
    }

    fn assign(&self, worker: WorkerId, job: JobId) {
        // Not earlier: what was submitted before it may have stored new ones meanwhile.
        let passed = Pins::read();
        let command = {
            let inner = self.inner.borrow();
            inner.jobs.get(&job).map(|job| {
                let trust = job.trust.clone().or_else(|| inner.trust.clone());
                command(&job.task, trust, passed.notes())
            })
        };
        self.inner.borrow_mut().passed.insert(job, passed);
        if let Some(command) = command {
            self.send(worker, &command);
        }
    }

    fn send(&self, worker: WorkerId, command: &Command) {
        let target = self.inner.borrow().workers.get(&worker).map(|running| running.worker.clone());
        let sent = protocol::to_js(command)
            .is_ok_and(|message| target.is_some_and(|worker| worker.post_message(&message).is_ok()));
        if !sent {
            let pool = self.clone();
            set_timeout(move || pool.lost(worker, "a message could not be sent"), Duration::ZERO);
        }
    }

    fn listener(&self, job: JobId) -> Option<Rc<dyn Fn(JobEvent)>> {
        self.inner.borrow().jobs.get(&job).map(|job| job.listener.clone())
    }

    /// Tells a job's owner how it ended, once.
    fn conclude(&self, job: JobId, event: JobEvent) {
        self.inner.borrow_mut().passed.remove(&job);
        let ended = self.inner.borrow_mut().jobs.remove(&job);
        if let Some(ended) = ended {
            (ended.listener)(event);
        }
    }
}

fn command(task: &Task, trust: Option<String>, pins: Vec<String>) -> Command {
    match task {
        Task::Verify { file, evidence } => {
            Command::Verify { file: file.clone(), evidence: evidence.iter().collect(), trust, pins }
        }
        Task::Look => Command::Look { trust, pins },
        Task::Check(what) => Command::Check { what: what.clone(), trust, pins },
        Task::Describe => Command::Describe { trust },
    }
}
