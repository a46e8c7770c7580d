//! What the person at the recorder sees: a line that moves on a terminal, plain lines elsewhere. Everything on standard
//! error; results go to standard output.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::outbox::locked;
use crate::spool::Counts;

/// How often plain lines repeat themselves.
const PLAIN_INTERVAL: Duration = Duration::from_secs(5);

/// The display of one run.
pub struct Display {
    bar: Option<ProgressBar>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    captured: u64,
    counts: Counts,
    delay: Option<Duration>,
    last_line: Option<Instant>,
}

impl Display {
    /// On a terminal a moving line, else plain lines.
    #[must_use]
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            // invariant: the template is a constant that parses; the default style is as good.
            bar.set_style(
                ProgressStyle::with_template("{spinner} {elapsed} {msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, state: Mutex::default() }
    }

    /// A segment has been captured, signed and spooled.
    pub fn captured(&self, segments: u64, counts: Counts) {
        {
            let mut state = locked(&self.state);
            (state.captured, state.counts) = (segments, counts);
        }
        self.refresh();
    }

    /// How far sealing has come.
    pub fn progress(&self, counts: Counts) {
        locked(&self.state).counts = counts;
        self.refresh();
    }

    /// Time from the signature of a statement to its verified receipt.
    pub fn sealing_delay(&self, delay: Duration) {
        locked(&self.state).delay = Some(delay);
    }

    /// A result, for whoever or whatever reads standard output. A reader that has gone away is no failure of the recording.
    pub fn result(&self, line: &str) {
        let _ = writeln!(std::io::stdout(), "{line}");
    }

    /// A sentence that stays.
    pub fn say(&self, sentence: &str) {
        match &self.bar {
            Some(bar) if !bar.is_finished() => bar.println(sentence),
            _ => plain(sentence),
        }
    }

    /// Removes the moving line.
    pub fn finish(&self) {
        match &self.bar {
            Some(bar) => bar.finish_and_clear(),
            None => {
                let state = locked(&self.state);
                if state.captured > 0 || state.counts.signed > 0 {
                    plain(&line(&state));
                }
            }
        }
    }

    fn refresh(&self) {
        let mut state = locked(&self.state);
        match &self.bar {
            Some(bar) => bar.set_message(line(&state)),
            None if state.last_line.is_none_or(|last| last.elapsed() >= PLAIN_INTERVAL) => {
                state.last_line = Some(Instant::now());
                plain(&line(&state));
            }
            None => {}
        }
    }
}

impl Default for Display {
    fn default() -> Self {
        Self::new()
    }
}

/// `eprintln!` panics when nobody reads any more; a recording goes on.
fn plain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn line(state: &State) -> String {
    let delay =
        state.delay.map_or_else(String::new, |delay| format!(", sealing delay {:.1} s", delay.as_secs_f64()));
    format!(
        "segments captured {}; statements sealed {}, waiting {}{delay}",
        state.captured,
        state.counts.sealed,
        state.counts.waiting()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_was_captured_sealed_and_waits() {
        let state = State {
            captured: 7,
            counts: Counts { signed: 8, sealed: 5 },
            delay: Some(Duration::from_millis(340)),
            last_line: None,
        };
        assert_eq!(line(&state), "segments captured 7; statements sealed 5, waiting 3, sealing delay 0.3 s");
    }
}
