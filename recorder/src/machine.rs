//! What the device can say about itself: battery, free storage, firmware. What a machine does not have is left out.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use evidence::statement::{Event, EventKind, Percent};
use evidence::{Digest, UnixMillis};
use sha2::{Digest as _, Sha256};

/// Below this charge the recording notes a low battery.
const LOW_BATTERY: u8 = 15;

/// Below this much free storage the recording notes it: a few minutes of video.
const LOW_STORAGE: u64 = 512 * 1024 * 1024;

const POWER_SUPPLIES: &str = "/sys/class/power_supply";

/// The charge of the first battery that powers the machine (a wireless mouse has one too, of another scope).
#[must_use]
pub fn battery() -> Option<Percent> {
    battery_in(Path::new(POWER_SUPPLIES))
}

fn battery_in(supplies: &Path) -> Option<Percent> {
    let mut folders: Vec<_> =
        fs::read_dir(supplies).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.sort();
    folders.iter().find_map(|folder| {
        let read = |name: &str| fs::read_to_string(folder.join(name)).map(|text| text.trim().to_owned()).ok();
        if read("type")? != "Battery" || read("scope").is_some_and(|scope| scope == "Device") {
            return None;
        }
        Percent::try_from(read("capacity")?.parse::<u8>().ok()?).ok()
    })
}

/// Bytes that the recorder may still write to the medium that holds `folder`.
#[must_use]
pub fn free_storage(folder: &Path) -> Option<u64> {
    let medium = rustix::fs::statvfs(folder).ok()?;
    medium.f_bavail.checked_mul(medium.f_frsize)
}

/// SHA-256 of the program that is running.
#[must_use]
pub fn firmware() -> Option<Digest> {
    let mut hasher = Sha256::new();
    let mut program = File::open(std::env::current_exe().ok()?).ok()?;
    io::copy(&mut program, &mut Hashing(&mut hasher)).ok()?;
    Some(Digest::from_bytes(hasher.finalize().into()))
}

struct Hashing<'a>(&'a mut Sha256);

impl io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Notes when battery or storage run low: once each time they fall below the mark.
#[derive(Debug, Default)]
pub struct Watch {
    low_battery: bool,
    low_storage: bool,
}

impl Watch {
    /// Events that these readings give rise to.
    pub fn observe(&mut self, at: UnixMillis, battery: Option<Percent>, free: Option<u64>) -> Vec<Event> {
        let low_battery = battery.is_some_and(|percent| percent.get() < LOW_BATTERY);
        let low_storage = free.is_some_and(|bytes| bytes < LOW_STORAGE);
        let mut events = Vec::new();
        if low_battery && !self.low_battery {
            events.push(Event { at, kind: EventKind::LowBattery });
        }
        if low_storage && !self.low_storage {
            events.push(Event { at, kind: EventKind::StorageNearlyFull });
        }
        (self.low_battery, self.low_storage) = (low_battery, low_storage);
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supply(folder: &Path, name: &str, files: &[(&str, &str)]) {
        let folder = folder.join(name);
        fs::create_dir(&folder).unwrap();
        for (file, text) in files {
            fs::write(folder.join(file), text).unwrap();
        }
    }

    #[test]
    fn neither_the_charger_nor_the_mouse_is_the_battery() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(battery_in(&folder.path().join("none")), None);
        supply(folder.path(), "AC", &[("type", "Mains\n"), ("capacity", "7\n")]);
        supply(folder.path(), "A0", &[("type", "Battery\n"), ("scope", "Device\n"), ("capacity", "8\n")]);
        assert_eq!(battery_in(folder.path()), None);
        supply(folder.path(), "BAT0", &[("type", "Battery\n"), ("capacity", "300\n")]);
        assert_eq!(battery_in(folder.path()), None, "nonsense is left out");
        supply(folder.path(), "BAT1", &[("type", "Battery\n"), ("capacity", "93\n")]);
        assert_eq!(battery_in(folder.path()).map(Percent::get), Some(93));
    }

    #[test]
    fn running_low_is_noted_once() {
        let mut watch = Watch::default();
        let at = UnixMillis::saturating(5);
        let percent = |number| Percent::try_from(number).ok();
        assert_eq!(watch.observe(at, percent(15), Some(LOW_STORAGE)), []);
        let low = watch.observe(at, percent(14), Some(LOW_STORAGE - 1));
        assert_eq!(
            low.iter().map(|event| event.kind).collect::<Vec<_>>(),
            [EventKind::LowBattery, EventKind::StorageNearlyFull]
        );
        assert_eq!(watch.observe(at, percent(13), Some(0)), []);
        assert_eq!(watch.observe(at, percent(80), None), []);
        assert_eq!(watch.observe(at, percent(3), None).len(), 1);
    }

    #[test]
    fn this_machine_has_storage_and_a_program() {
        assert!(free_storage(Path::new("/")).is_some());
        assert!(firmware().is_some());
    }
}
