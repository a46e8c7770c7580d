//! Who breaks what, and when.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::world::World;
use super::{Disk, Equipment};
use crate::process::{tail, wait_for};
use crate::random::Random;
use crate::stack::Stack;

/// After so many kills, everything must be well again before more is broken.
const ROUND: u64 = 10;

/// How long that may take.
const RECOVERY: Duration = Duration::from_secs(180);

/// What was broken.
#[derive(Debug, Default)]
pub(super) struct Tally {
    server: u64,
    witnesses: u64,
    while_starting: u64,
    frozen: u64,
    cut_off: u64,
    full: u64,
    ended_when_full: u64,
    seconds: u64,
    /// A program that ended although nobody killed it and its disk had room: its last words.
    pub(super) ended_by_itself: Vec<String>,
}

/// Breaks one thing after the other; the devices' load never pauses.
pub(super) struct Controller<'a> {
    stack: &'a mut Stack,
    equipment: &'a Equipment,
    world: Arc<World>,
    random: Random,
    tally: Tally,
    begun: Instant,
}

impl<'a> Controller<'a> {
    pub(super) fn new(
        stack: &'a mut Stack,
        equipment: &'a Equipment,
        world: Arc<World>,
        random: Random,
    ) -> Self {
        Self { stack, equipment, world, random, tally: Tally::default(), begun: Instant::now() }
    }

    /// Goes on until `kills` processes were killed.
    pub(super) fn run(&mut self, kills: u64) -> Result<()> {
        let mut round = 0;
        while self.tally.kills() < kills {
            self.pause(50, 700);
            match self.random.below(100) {
                0..40 => self.kill_server()?,
                40..70 => self.kill_witness()?,
                70..76 => self.kill_everything()?,
                76..84 => self.freeze_a_witness(),
                84..92 => self.cut_a_witness_off()?,
                92..97 => self.fill_the_servers_disk()?,
                _ => self.fill_the_mirrors_disk()?,
            }
            self.revive()?;
            let killed = self.tally.kills();
            if killed / ROUND > round {
                round = killed / ROUND;
                self.recover()?;
                println!("{killed} kills, {} receipts", self.world.receipts());
            }
            let violations = self.world.violations();
            ensure!(violations.is_empty(), "a promise was broken:\n{}", violations.join("\n"));
        }
        Ok(())
    }

    /// Everything whole again.
    pub(super) fn finish(mut self) -> Result<Tally> {
        self.recover()?;
        self.tally.seconds = self.begun.elapsed().as_secs();
        Ok(self.tally)
    }

    fn pause(&mut self, from: u64, to: u64) {
        std::thread::sleep(self.random.millis(from, to));
    }

    fn kill_server(&mut self) -> Result<()> {
        self.stack.server.kill();
        self.tally.server += 1;
        // A crash during recovery from a crash.
        while self.random.chance(25) {
            self.stack.server.launch()?;
            self.pause(0, 500);
            self.stack.server.kill();
            self.tally.server += 1;
            self.tally.while_starting += 1;
        }
        self.pause(0, 300);
        self.stack.server.launch()
    }

    fn kill_witness(&mut self) -> Result<()> {
        let witness = self.random.place(self.stack.witnesses.len());
        self.stack.witnesses[witness].kill();
        self.tally.witnesses += 1;
        self.pause(0, 600);
        self.stack.witnesses[witness].launch()
    }

    /// As when the power fails for all of them.
    fn kill_everything(&mut self) -> Result<()> {
        self.stack.stop_all();
        self.tally.server += 1;
        self.tally.witnesses += self.stack.witnesses.len() as u64;
        self.pause(0, 300);
        for witness in &mut self.stack.witnesses {
            witness.launch()?;
        }
        self.stack.server.launch()
    }

    fn freeze_a_witness(&mut self) {
        let witness = self.random.place(self.stack.witnesses.len());
        self.stack.witnesses[witness].freeze();
        self.pause(100, 3000);
        self.stack.witnesses[witness].thaw();
        self.tally.frozen += 1;
    }

    fn cut_a_witness_off(&mut self) -> Result<()> {
        let Some(island) = &self.equipment.island else { return Ok(()) };
        island.cut()?;
        self.tally.cut_off += 1;
        self.pause(300, 3000);
        // The other two are a quorum. Unless one of them is killed now.
        if self.random.chance(50) {
            self.stack.witnesses[1].kill();
            self.tally.witnesses += 1;
            self.pause(100, 1000);
            self.stack.witnesses[1].launch()?;
        }
        island.heal()
    }

    fn fill_the_servers_disk(&mut self) -> Result<()> {
        let Some(disk) = &self.equipment.server_disk else { return Ok(()) };
        self.fill(disk)?;
        // It ended by itself, or refuses; either way it may be killed.
        if self.stack.server.ending().is_some() {
            self.tally.ended_when_full += 1;
        }
        if self.random.chance(50) {
            // It may be started again while nothing has changed.
            self.stack.server.launch()?;
            self.pause(100, 1000);
        }
        self.stack.server.kill();
        self.tally.server += 1;
        disk.relieve()?;
        self.stack.server.launch()
    }

    fn fill_the_mirrors_disk(&mut self) -> Result<()> {
        let Some(disk) = &self.equipment.mirror_disk else { return Ok(()) };
        self.fill(disk)?;
        if self.stack.mirror().has_ended() {
            self.tally.ended_when_full += 1;
        }
        self.stack.mirror().kill();
        self.tally.witnesses += 1;
        disk.relieve()?;
        self.stack.mirror().launch()
    }

    fn fill(&mut self, disk: &Disk) -> Result<()> {
        disk.fill()?;
        self.tally.full += 1;
        self.pause(300, 2000);
        Ok(())
    }

    /// Nothing but a full disk may end a program; if something did, it is told in the end.
    fn revive(&mut self) -> Result<()> {
        if self.stack.server.ending().is_some() {
            self.tally.ended_by_itself.push(format!("the server:\n{}", tail(&self.stack.server.log())));
            self.stack.server.launch()?;
        }
        for witness in &mut self.stack.witnesses {
            if witness.has_ended() {
                let words = format!("the witness {}:\n{}", witness.name, tail(&witness.log()));
                self.tally.ended_by_itself.push(words);
                witness.launch()?;
            }
        }
        Ok(())
    }

    /// Waits until all programs answer and receipts come again.
    fn recover(&mut self) -> Result<()> {
        self.revive()?;
        for witness in &mut self.stack.witnesses {
            witness.wait_until_ready()?;
        }
        self.stack.server.wait_until_ready()?;
        let before = self.world.receipts();
        wait_for("another receipt", RECOVERY, || {
            ensure!(
                self.stack.server.ending().is_none(),
                "the server ended:\n{}",
                tail(&self.stack.server.log())
            );
            Ok((self.world.receipts() > before || !self.world.violations().is_empty()).then_some(()))
        })
    }
}

impl Tally {
    fn kills(&self) -> u64 {
        self.server + self.witnesses
    }

    /// What was broken, for people.
    pub(super) fn table(&self, seed: u64) -> String {
        let mut text = String::new();
        let mut row = |what: &str, count: u64| {
            let _ = writeln!(text, "{what:<44} {count:>9}");
        };
        row("seed", seed);
        row("seconds", self.seconds);
        row("kills", self.kills());
        row("  of the server", self.server);
        row("    while it was starting", self.while_starting);
        row("  of witnesses", self.witnesses);
        row("witness frozen", self.frozen);
        row("witness cut off the network", self.cut_off);
        row("disk full", self.full);
        row("  a program ended by itself then", self.ended_when_full);
        row("a program ended by itself otherwise", self.ended_by_itself.len() as u64);
        text
    }
}
