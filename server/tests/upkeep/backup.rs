//! `backup` under load, and what comes back from it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use evidence::statement::Role;

use super::support::{Place, Sealed, Service, assert_kept, fail, program, seal, succeed};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_backup_under_load_restores_with_every_receipt_as_it_was() {
    let place = Place::new();
    let data = place.init("data");
    let service = Service::start(&data);
    let mut promised = service.fill(0, 700);
    let before = promised.len() as u64;

    let enough = AtomicBool::new(false);
    let load = |worker: u64| {
        let mut sealed: Vec<Sealed> = Vec::new();
        let client = service.client();
        for round in 0.. {
            if enough.load(Ordering::SeqCst) {
                break;
            }
            let from = 1_000_000 * worker + 10 * round;
            let statements: Vec<_> =
                (from..from + 10).map(|number| service.enrolment(number, Role::Account)).collect();
            sealed.extend(seal(&client, &statements).unwrap());
        }
        sealed
    };
    let backup = place.join("backup");
    let during: Vec<Sealed> = thread::scope(|scope| {
        let workers: Vec<_> = (1..4).map(|worker| scope.spawn(move || load(worker))).collect();
        thread::sleep(Duration::from_millis(300));
        succeed(&["backup", "--data", &data, "--to", &backup]);
        thread::sleep(Duration::from_millis(100));
        enough.store(true, Ordering::SeqCst);
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    service.stop();
    promised.extend(during);

    // Nobody else can read it.
    assert_eq!(mode(Path::new(&backup)), 0o700);
    for entry in fs::read_dir(&backup).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }

    let restored = place.join("restored");
    let said = succeed(&["restore", "--data", &restored, "--backup", &backup]);
    assert!(said.contains("Everything agrees."), "{said}");
    let label = fs::read_to_string(Path::new(&backup).join("backup.json")).unwrap();
    let size = serde_json::from_str::<serde_json::Value>(&label).unwrap()["size"].as_u64().unwrap();
    assert!(size > before, "the backup was made under load");
    let service = Service::start(&restored);
    promised.retain(|sealed| sealed.index < size);
    assert!(promised.len() as u64 >= before);
    assert_kept(&service, &promised);
    service.stop();
    succeed(&["fsck", "--data", &restored]);
}

#[test]
fn a_backup_can_leave_the_keys_out_and_says_so() {
    let place = Place::new();
    let data = place.init("data");
    let service = Service::start(&data);
    service.fill(0, 10);
    let backup = place.join("backup");
    let said = succeed(&["backup", "--data", &data, "--to", &backup, "--without-keys"]);
    assert!(said.contains("keys are not in it"), "{said}");
    service.stop();
    assert!(!Path::new(&backup).join("log.key").exists());
    assert!(!Path::new(&backup).join("registrar.key").exists());
    let restored = place.join("restored");
    let said = succeed(&["restore", "--data", &restored, "--backup", &backup]);
    assert!(said.contains("put log.key"), "{said}");
    let said = fail(&["serve", "--data", &restored, "--listen", "127.0.0.1:0"]);
    assert!(said.contains("holds no key of the log"), "{said}");
}

#[test]
fn what_is_no_whole_backup_is_not_restored() {
    let place = Place::new();
    let data = place.init("data");
    let service = Service::start(&data);
    service.fill(0, 300);
    service.stop();
    let backup = place.join("backup");
    succeed(&["backup", "--data", &data, "--to", &backup]);
    // Neither into a directory that is in use, nor from one that is none.
    assert!(fail(&["backup", "--data", &data, "--to", &backup]).contains("not empty"));
    assert!(fail(&["restore", "--data", &data, "--backup", &backup]).contains("not empty"));
    assert!(fail(&["restore", "--data", &place.join("x"), "--backup", &data]).contains("no backup"));

    // Another database under its label.
    let service = Service::start(&data);
    service.fill(1000, 50);
    service.stop();
    fs::copy(Path::new(&data).join("server.sqlite"), Path::new(&backup).join("server.sqlite")).unwrap();
    let half = place.join("half");
    assert!(fail(&["restore", "--data", &half, "--backup", &backup]).contains("is labelled with"));
    // Nothing else takes the directory; the restore itself does, again and again.
    for command in ["serve", "fsck", "reindex"] {
        assert!(fail(&[command, "--data", &half]).contains("begun and not ended"), "{command}");
    }
    let whole = place.join("whole");
    succeed(&["backup", "--data", &data, "--to", &whole]);
    succeed(&["restore", "--data", &half, "--backup", &whole]);
    let service = Service::start(&half);
    service.stop();

    // A label is the last thing that is written.
    fs::remove_file(Path::new(&whole).join("backup.json")).unwrap();
    assert!(fail(&["restore", "--data", &place.join("y"), "--backup", &whole]).contains("not finished"));
}

#[test]
fn a_restore_from_a_backup_that_is_killed_at_any_moment_begins_anew() {
    let place = Place::new();
    let data = place.init("data");
    let service = Service::start(&data);
    let promised = service.fill(0, 3000);
    service.stop();
    let backup = place.join("backup");
    succeed(&["backup", "--data", &data, "--to", &backup]);
    let restored = place.join("restored");
    let mut kills = 0;
    for round in 0_u64.. {
        let mut child =
            program().args(["restore", "--data", &restored, "--backup", &backup]).spawn().unwrap();
        thread::sleep(Duration::from_millis(3 + 23 * round));
        let _ = child.kill();
        let status = child.wait().unwrap();
        if status.success() {
            break;
        }
        assert!(status.code().is_none(), "it ended by itself: {status}");
        kills += 1;
        if Path::new(&restored).join("config.toml").exists() {
            assert!(fail(&["serve", "--data", &restored]).contains("begun and not ended"));
        }
    }
    assert!(kills > 0);
    let service = Service::start(&restored);
    assert_kept(&service, &promised);
}
