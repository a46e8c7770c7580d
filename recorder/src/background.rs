//! Sending while the recording goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::display::Display;
use crate::outbox::{Outbox, locked};
use crate::sender::{Round, SendError, Sender};

/// First pause after a failure; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Longest pause: a patrol that comes back into coverage does not wait for minutes.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// How often pending and refused statements are looked at without a bell.
const IDLE: Duration = Duration::from_millis(500);

/// A thread that sends the outbox until it is stopped.
pub struct Background {
    stop: Arc<AtomicBool>,
    outbox: Arc<Outbox>,
    trouble: Arc<Mutex<Option<String>>>,
    thread: JoinHandle<Sender>,
}

impl Background {
    /// Starts sending.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(sender: Sender, outbox: &Arc<Outbox>, display: &Arc<Display>) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let trouble = Arc::new(Mutex::new(None));
        let loop_ = Loop {
            sender,
            stop: Arc::clone(&stop),
            outbox: Arc::clone(outbox),
            display: Arc::clone(display),
            trouble: Arc::clone(&trouble),
        };
        let thread = std::thread::Builder::new().name("sender".to_owned()).spawn(move || loop_.run())?;
        Ok(Self { stop, outbox: Arc::clone(outbox), trouble, thread })
    }

    /// What stands in the way at present, if anything.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        locked(&self.trouble).clone()
    }

    /// Stops after the request that is under way, and gives the sender back. `None` when the thread has panicked; the
    /// spool holds everything.
    #[must_use]
    pub fn stop(self) -> Option<Sender> {
        self.stop.store(true, Ordering::Relaxed);
        self.outbox.ring();
        self.thread.join().ok()
    }
}

struct Loop {
    sender: Sender,
    stop: Arc<AtomicBool>,
    outbox: Arc<Outbox>,
    display: Arc<Display>,
    trouble: Arc<Mutex<Option<String>>>,
}

impl Loop {
    fn run(mut self) -> Sender {
        let mut pause = FIRST_PAUSE;
        while !self.stop.load(Ordering::Relaxed) {
            match self.sender.round() {
                Ok(round) => {
                    pause = FIRST_PAUSE;
                    self.note(&round);
                    if round.sent == 0 {
                        self.outbox.wait(IDLE);
                    }
                }
                Err(error) => {
                    self.tell(Some(error.to_string()));
                    self.sleep(error.retry_after().map_or(pause, |asked| asked.max(pause)));
                    pause = next_pause(pause, &error);
                }
            }
        }
        self.sender
    }

    fn note(&self, round: &Round) {
        if let Some(delay) = round.delay {
            self.display.sealing_delay(delay);
        }
        if let Some(error) = &round.unreadable {
            self.tell(Some(error.to_string()));
        } else if let Some(refusal) = round.refused.first() {
            self.tell(Some(format!("The server refuses statements: {refusal}.")));
        } else if round.sealed > 0 {
            self.tell(None);
        }
        self.display.progress(self.outbox.counts());
    }

    /// Says each trouble once, not every half second.
    fn tell(&self, news: Option<String>) {
        let mut trouble = locked(&self.trouble);
        if *trouble != news {
            if let Some(news) = &news {
                self.display.say(news);
            }
            *trouble = news;
        }
    }

    fn sleep(&self, pause: Duration) {
        let slice = Duration::from_millis(50);
        let mut slept = Duration::ZERO;
        while slept < pause && !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(slice);
            slept += slice;
        }
    }
}

/// A receipt that does not verify is not cured by asking faster.
fn next_pause(pause: Duration, error: &SendError) -> Duration {
    if error.is_away() { (pause * 2).min(LONGEST_PAUSE) } else { LONGEST_PAUSE }
}
