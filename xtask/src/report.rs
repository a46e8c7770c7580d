//! What the commands print about their own progress.

use std::time::{Duration, Instant};

/// Prints the start of a step.
pub(crate) fn step(text: &str) {
    println!("\n== {text}");
}

/// Prints what the reader must not miss although nothing failed.
pub(crate) fn warn(text: &str) {
    println!("\nwarning: {text}");
}

/// The sections of a long command, with the time each took.
pub(crate) struct Sections {
    started: Instant,
    done: Vec<(&'static str, Duration)>,
}

impl Sections {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), done: Vec::new() }
    }

    /// Runs one section and keeps its time, whether or not it succeeds.
    pub(crate) fn run<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        step(name);
        let started = Instant::now();
        let result = work();
        self.done.push((name, started.elapsed()));
        result
    }

    /// Prints each section's time, and the total.
    pub(crate) fn print(&self) {
        println!("\n{:<28} {:>9}", "section", "seconds");
        for (name, time) in &self.done {
            println!("{name:<28} {:>9.1}", time.as_secs_f64());
        }
        println!("{:<28} {:>9.1}", "total", self.started.elapsed().as_secs_f64());
    }
}

/// A number of bytes, with thousands separated.
pub(crate) fn bytes(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn thousands_are_separated() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (123_456, "123,456"), (1_234_567, "1,234,567")];
        for (count, text) in cases {
            assert_eq!(bytes(count), text);
        }
    }
}
