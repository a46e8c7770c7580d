//! Which worker does which file: decisions only, so that they can be tested without a browser.

use std::collections::{BTreeMap, VecDeque};

/// One worker, for as long as it lives.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct WorkerId(u32);

/// One verification of one file. A second try is another job.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct JobId(pub u32);

/// What the pool has to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    /// Start a worker.
    Start(WorkerId),
    /// Give a job to a worker that said it is ready.
    Assign(WorkerId, JobId),
    /// Ask a worker to stop its job.
    Interrupt(WorkerId),
    /// End a worker.
    End(WorkerId),
    /// Tell a job's owner that it was cancelled before it began.
    Cancelled(JobId),
    /// Tell a job's owner that its worker died.
    Crashed(JobId),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Loads its program; nothing may be sent to it yet.
    Starting,
    Idle,
    Busy(JobId),
}

/// At most `limit` workers, each with one job; what does not fit waits in order.
///
/// A worker that is done is kept for the next file: after the network has gone no new one could be loaded.
pub(crate) struct Schedule {
    limit: usize,
    workers: BTreeMap<WorkerId, State>,
    queue: VecDeque<JobId>,
    next: u32,
}

impl Schedule {
    /// A schedule without workers. A `limit` of 0 counts as 1.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), workers: BTreeMap::new(), queue: VecDeque::new(), next: 0 }
    }

    /// Starts a first worker ahead of the first job.
    pub(crate) fn warm_up(&mut self) -> Vec<Action> {
        if self.workers.is_empty() { vec![self.start()] } else { Vec::new() }
    }

    /// A new job.
    pub(crate) fn submit(&mut self, job: JobId) -> Vec<Action> {
        self.queue.push_back(job);
        self.pump()
    }

    /// A worker said that it is ready.
    pub(crate) fn ready(&mut self, worker: WorkerId) -> Vec<Action> {
        match self.workers.get_mut(&worker) {
            Some(state @ State::Starting) => {
                *state = State::Idle;
                self.pump()
            }
            _ => Vec::new(),
        }
    }

    /// A worker finished its job, which is returned.
    pub(crate) fn finished(&mut self, worker: WorkerId) -> (Option<JobId>, Vec<Action>) {
        match self.workers.get_mut(&worker) {
            Some(state @ State::Busy(_)) => {
                let State::Busy(job) = std::mem::replace(state, State::Idle) else {
                    return (None, Vec::new());
                };
                (Some(job), self.pump())
            }
            _ => (None, Vec::new()),
        }
    }

    /// A worker died, or is not to be used. Its own job fails, no other: the next one gets a fresh worker.
    ///
    /// A worker that never became ready had no job. If others live, they do the work; if none does, the first
    /// waiting job fails, so that nobody waits for a program that cannot be loaded.
    pub(crate) fn died(&mut self, worker: WorkerId) -> Vec<Action> {
        let Some(state) = self.workers.remove(&worker) else {
            return Vec::new();
        };
        let mut actions = vec![Action::End(worker)];
        match state {
            State::Busy(job) => actions.push(Action::Crashed(job)),
            State::Starting if self.workers.is_empty() => {
                actions.extend(self.queue.pop_front().map(Action::Crashed));
            }
            // Do not try again and again while the living ones have work.
            State::Starting => self.limit = self.workers.len(),
            State::Idle => {}
        }
        actions.extend(self.pump());
        actions
    }

    /// The owner of a job no longer wants it.
    pub(crate) fn cancel(&mut self, job: JobId) -> Vec<Action> {
        if let Some(place) = self.queue.iter().position(|waiting| *waiting == job) {
            self.queue.remove(place);
            return vec![Action::Cancelled(job)];
        }
        self.worker_of(job).map(Action::Interrupt).into_iter().collect()
    }

    /// The worker that is busy with a job.
    pub(crate) fn worker_of(&self, job: JobId) -> Option<WorkerId> {
        self.workers.iter().find(|(_, state)| **state == State::Busy(job)).map(|(worker, _)| *worker)
    }

    /// The job that a worker is busy with.
    pub(crate) fn job_of(&self, worker: WorkerId) -> Option<JobId> {
        match self.workers.get(&worker) {
            Some(State::Busy(job)) => Some(*job),
            _ => None,
        }
    }

    fn start(&mut self) -> Action {
        let worker = WorkerId(self.next);
        self.next = self.next.wrapping_add(1);
        self.workers.insert(worker, State::Starting);
        Action::Start(worker)
    }

    fn pump(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        for (worker, state) in &mut self.workers {
            if *state == State::Idle
                && let Some(job) = self.queue.pop_front()
            {
                *state = State::Busy(job);
                actions.push(Action::Assign(*worker, job));
            }
        }
        let starting = self.workers.values().filter(|state| **state == State::Starting).count();
        let missing = self.queue.len().saturating_sub(starting);
        for _ in 0..missing.min(self.limit.saturating_sub(self.workers.len())) {
            actions.push(self.start());
        }
        actions
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn started(actions: &[Action]) -> Vec<WorkerId> {
        actions
            .iter()
            .filter_map(|action| if let Action::Start(id) = action { Some(*id) } else { None })
            .collect()
    }

    #[wasm_bindgen_test]
    fn nothing_is_assigned_before_a_worker_is_ready() {
        let mut schedule = Schedule::new(4);
        let first = started(&schedule.warm_up());
        assert_eq!(schedule.submit(JobId(1)), [], "the worker that is starting will take it");
        assert_eq!(schedule.ready(first[0]), [Action::Assign(first[0], JobId(1))]);
        assert_eq!(schedule.ready(first[0]), [], "a second Ready changes nothing");
    }

    #[wasm_bindgen_test]
    fn jobs_beyond_the_limit_wait_in_order() {
        let mut schedule = Schedule::new(2);
        let mut workers = started(&schedule.submit(JobId(1)));
        workers.extend(started(&schedule.submit(JobId(2))));
        assert_eq!(workers.len(), 2);
        assert_eq!(schedule.submit(JobId(3)), []);
        assert_eq!(schedule.submit(JobId(4)), []);
        schedule.ready(workers[0]);
        schedule.ready(workers[1]);
        let (done, next) = schedule.finished(workers[1]);
        assert_eq!((done, next), (Some(JobId(2)), vec![Action::Assign(workers[1], JobId(3))]));
    }

    #[wasm_bindgen_test]
    fn a_crash_fails_one_job_and_the_next_gets_a_fresh_worker() {
        let mut schedule = Schedule::new(1);
        let worker = started(&schedule.submit(JobId(1)))[0];
        schedule.ready(worker);
        schedule.submit(JobId(2));
        let actions = schedule.died(worker);
        assert_eq!(actions[..2], [Action::End(worker), Action::Crashed(JobId(1))]);
        let fresh = started(&actions);
        assert_eq!(fresh.len(), 1);
        assert_eq!(schedule.ready(fresh[0]), [Action::Assign(fresh[0], JobId(2))]);
    }

    #[wasm_bindgen_test]
    fn a_program_that_cannot_be_loaded_fails_every_job_instead_of_waiting() {
        let mut schedule = Schedule::new(1);
        let mut starting = started(&schedule.submit(JobId(1)));
        schedule.submit(JobId(2));
        let mut crashed = Vec::new();
        while let Some(worker) = starting.pop() {
            let actions = schedule.died(worker);
            crashed.extend(actions.iter().filter(|action| matches!(action, Action::Crashed(_))).copied());
            starting = started(&actions);
        }
        assert_eq!(crashed, [Action::Crashed(JobId(1)), Action::Crashed(JobId(2))]);
    }

    #[wasm_bindgen_test]
    fn offline_the_living_worker_does_all_files() {
        let mut schedule = Schedule::new(4);
        let living = started(&schedule.warm_up())[0];
        schedule.ready(living);
        schedule.submit(JobId(1));
        let dead = started(&schedule.submit(JobId(2)))[0];
        assert_eq!(schedule.died(dead), [Action::End(dead)], "no job fails and no other worker is tried");
        assert_eq!(schedule.finished(living), (Some(JobId(1)), vec![Action::Assign(living, JobId(2))]));
    }

    #[wasm_bindgen_test]
    fn cancelling_a_waiting_job_takes_it_out_and_a_running_one_is_interrupted() {
        let mut schedule = Schedule::new(1);
        let worker = started(&schedule.submit(JobId(1)))[0];
        schedule.ready(worker);
        schedule.submit(JobId(2));
        assert_eq!(schedule.cancel(JobId(2)), [Action::Cancelled(JobId(2))]);
        assert_eq!(schedule.cancel(JobId(1)), [Action::Interrupt(worker)]);
        schedule.finished(worker);
        assert_eq!(schedule.cancel(JobId(1)), [], "it is over already");
    }
}
