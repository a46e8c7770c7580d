//! Every step of the write path fails once, in two ways: nothing was done, or it was done all the same. After each, a new process starts
//! on what is left; nothing that was promised is lost or contradicted, and nobody ever sees two trees of one size.

use std::sync::Arc;

use axum::http::StatusCode;
use evidence::statement::Role;
use evidence::{DeviceKey, Outcome, Submission};
use jianzhen_server::objects::Objects;

use super::faults::{FAULTS, Fault, FaultyObjects, SteppedStore, Steps};
use super::support::{Device, Running, World};

/// What the operator does when something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Nothing: the process goes on, unless it stops by itself.
    GoesOn,
    /// It is killed at once.
    IsKilled,
}

/// A service over storage and witnesses that share the count of steps.
async fn start(world: &World, steps: &Arc<Steps>) -> Option<Running> {
    let store = world.store().await;
    let stepped = Arc::new(SteppedStore { store: store.clone(), steps: steps.clone() });
    let objects = FaultyObjects::new(&world.data.objects());
    *objects.steps.lock().unwrap() = Some(steps.clone());
    for witness in &world.witnesses {
        *witness.steps.lock().unwrap() = Some(steps.clone());
    }
    let mut parts = world.parts(store, stepped.clone(), Objects::new(objects));
    parts.archive = stepped;
    // A fault while it starts: the operator starts it again.
    world.run(parts).await.ok()
}

struct Script<'a> {
    world: &'a World,
    steps: Arc<Steps>,
    fails: usize,
    then: Then,
    running: Option<Running>,
    receipts: Vec<(Submission, Outcome)>,
}

impl Script<'_> {
    async fn running(&mut self) -> &Running {
        while self.running.is_none() {
            self.running = start(self.world, &self.steps).await;
        }
        self.running.as_ref().unwrap()
    }

    /// Submits a batch until every statement of it has a receipt.
    async fn seal(&mut self, batch: &[Submission]) {
        loop {
            let (status, body) = self.running().await.submit(batch).await;
            let outcomes = if status == StatusCode::OK { Outcome::parse_all(&body).unwrap() } else { vec![] };
            let sealed = |outcome: &Outcome| matches!(outcome, Outcome::Sealed { .. });
            for (submission, outcome) in batch.iter().zip(&outcomes).filter(|(_, outcome)| sealed(outcome)) {
                self.receipts.push((submission.clone(), outcome.clone()));
            }
            let failed = self.steps.taken() >= self.fails;
            let ended = self.running.as_ref().unwrap().sequencer.is_finished();
            if ended || (failed && self.then == Then::IsKilled) {
                self.then = Then::GoesOn;
                self.running.take().unwrap().crash().await;
            } else if outcomes.len() == batch.len() && outcomes.iter().all(sealed) {
                return;
            } else {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        }
    }
}

/// The batches of the script: past the first full tile, so that tiles of two levels are written and partial ones go.
fn batches(world: &World, device: &Device) -> Vec<Vec<Submission>> {
    let starts = |ids: std::ops::Range<u16>| {
        ids.map(|id| device.deposit(u8::try_from(id % 256).unwrap(), &id.to_be_bytes())).collect::<Vec<_>>()
    };
    vec![
        starts(0..253),
        starts(253..255),
        starts(255..260),
        vec![Submission::of(world.snapshot(vec![device.key.digest()]))],
    ]
}

/// Runs the script with the fault at step `fails`; gives the number of steps.
async fn run(fails: usize, fault: Fault, then: Then) -> usize {
    let mut world = World::witnessed().await;
    world.limits.answer_timeout_s = 5;
    let key = DeviceKey::from_seed([7; 32]);
    let enrolment = world.enrol(&key, Role::Device);
    let device = Device { key, enrolment: enrolment.digest() };
    let steps = Steps::new(fails, fault);
    let mut script =
        Script { world: &world, steps: steps.clone(), fails, then, running: None, receipts: Vec::new() };
    script.seal(&[Submission::of(enrolment)]).await;
    for batch in batches(&world, &device) {
        script.seal(&batch).await;
    }
    let context = format!("step {fails}, {fault:?}, the process {then:?}");
    // A process that nothing happened to, and every receipt that ever went out.
    let taken = steps.taken();
    if let Some(running) = script.running.take() {
        running.crash().await;
    }
    let running = world.start().await;
    running.until_ready().await;
    for (submission, outcome) in &script.receipts {
        world.assert_receipt(&submission.statement, outcome);
    }
    for some in script.receipts.chunks(200) {
        let submissions: Vec<Submission> = some.iter().map(|(submission, _)| submission.clone()).collect();
        let again = running.seal(&submissions).await;
        assert!(again.iter().zip(some).all(|(again, (_, before))| again == before), "{context}");
    }
    running.stop().await;
    world.assert_sound().await;
    let forked: Vec<u64> = world.witnesses.iter().flat_map(|witness| witness.forked()).collect();
    assert_eq!(forked, Vec::<u64>::new(), "{context}: two trees of one size were signed");
    taken
}

/// The fault-free script says how many steps there are. Which step is which varies from run to run with the order in which witnesses
/// answer; all of them are met.
async fn every_step(fault: Fault, then: Then) {
    let steps = run(usize::MAX, fault, then).await;
    assert!(steps > 40, "{steps}");
    for fails in 1..=steps {
        run(fails, fault, then).await;
    }
}

#[tokio::test]
async fn every_step_fails_without_effect_and_the_process_goes_on() {
    every_step(FAULTS[0], Then::GoesOn).await;
}

#[tokio::test]
async fn every_step_fails_with_effect_and_the_process_goes_on() {
    every_step(FAULTS[1], Then::GoesOn).await;
}

#[tokio::test]
async fn every_step_fails_without_effect_and_the_process_is_killed() {
    every_step(FAULTS[0], Then::IsKilled).await;
}

#[tokio::test]
async fn every_step_fails_with_effect_and_the_process_is_killed() {
    every_step(FAULTS[1], Then::IsKilled).await;
}
