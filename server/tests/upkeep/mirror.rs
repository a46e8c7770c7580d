//! `restore --from`: the public part of a log, from the log itself or from a mirror, honest or not.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::support::{
    Lie, Place, Service, assert_kept, copy_all, copy_setup, fail, lying_mirror, program, succeed,
};

fn restore(data: &str, from: &str) -> String {
    succeed(&["restore", "--data", data, "--from", from])
}

fn refuse(data: &str, from: &str) -> String {
    fail(&["restore", "--data", data, "--from", from])
}

#[test]
fn a_log_whose_database_is_lost_is_healed_by_those_who_submit_again() {
    let place = Place::new();
    let data = place.init("data");
    let service = Service::start(&data);
    let promised = service.fill(0, 700);
    let empty = place.join("empty");
    copy_setup(&data, &empty);
    let said = restore(&empty, &service.log());
    // 14 enrolments of devices, and the snapshot that the service sealed at its start, are public.
    let missing = 700 - 14;
    assert!(said.contains(&format!("statements of {missing} entries are missing")), "{said}");
    assert!(said.contains("Everything agrees."), "{said}");
    drop(service);

    let service = Service::start(&empty);
    // Out of order, so that the index is filled from behind.
    let (later, earlier) = promised.split_at(400);
    assert_kept(&service, earlier);
    service.fill(10_000, 30);
    service.stop();
    let said = succeed(&["fsck", "--data", &empty]);
    assert!(said.contains("Everything agrees.") && said.contains("are missing"), "{said}");
    let service = Service::start(&empty);
    assert_kept(&service, later);
    service.stop();
    let said = succeed(&["fsck", "--data", &empty]);
    assert!(said.contains("Everything agrees.") && !said.contains("missing"), "{said}");
}

#[test]
fn an_older_backup_is_brought_up_to_date_and_keeps_its_statements() {
    let place = Place::new();
    let data = place.init("data");
    let service = Service::start(&data);
    let mut promised = service.fill(0, 300);
    let backup = place.join("backup");
    succeed(&["backup", "--data", &data, "--to", &backup]);
    promised.extend(service.fill(1000, 400));
    let restored = place.join("restored");
    succeed(&["restore", "--data", &restored, "--backup", &backup]);
    let said = restore(&restored, &service.log());
    assert!(said.contains("are here now"), "{said}");
    // Devices 1000, 1050, … 1350 are public.
    assert!(said.contains("statements of 392 entries are missing"), "{said}");
    // Again: nothing more to do.
    let said = restore(&restored, &service.log());
    assert!(said.contains("Everything agrees."), "{said}");
    drop(service);
    let service = Service::start(&restored);
    assert_kept(&service, &promised);
}

#[test]
fn what_is_sealed_and_not_published_stays_and_a_mirror_that_is_behind_is_no_source() {
    let place = Place::new();
    let data = place.init("data");
    let service = Service::start(&data);
    service.fill(0, 300);
    service.stop();
    let older = place.join("older");
    copy_all(Path::new(&data), Path::new(&older));
    let service = Service::start(&data);
    service.fill(1000, 100);
    service.stop();
    let behind = Service::start(&older);
    let said = refuse(&data, &behind.log());
    assert!(said.contains("no copy to restore from"), "{said}");
    // The directory was whole, and is.
    succeed(&["fsck", "--data", &data]);
}

/// A lie about one kind of answer.
fn lie(prefix: &'static str, change: fn(Vec<u8>) -> Option<Vec<u8>>) -> Arc<Lie> {
    Arc::new(move |path, body| if path.starts_with(prefix) { change(body) } else { Some(body) })
}

fn flip(mut body: Vec<u8>, at: usize) -> Option<Vec<u8>> {
    if let Some(byte) = body.get_mut(at) {
        *byte ^= 1;
    }
    Some(body)
}

#[test]
fn a_mirror_that_lies_is_refused_and_an_honest_one_completes_the_work() {
    let place = Place::new();
    let data = place.init("data");
    let service = Service::start(&data);
    let promised = service.fill(0, 600);
    let log = service.log();
    let cases: [(&str, Arc<Lie>, &str); 9] = [
        (
            "an entry exchanged",
            lie("/tile/entries/001", |body| flip(body, 2000)),
            "Nothing false was taken over",
        ),
        (
            "an entry of the first bundle",
            lie("/tile/entries/000", |body| flip(body, 30)),
            "Nothing false was taken over",
        ),
        (
            "a sealing time",
            lie("/tile/entries/000", |body| flip(body, 44 * 20 + 11)),
            "Nothing false was taken over",
        ),
        (
            "a bundle cut off",
            lie("/tile/entries/001", |mut body| {
                body.truncate(100);
                Some(body)
            }),
            "could not be read",
        ),
        ("a bundle withheld", lie("/tile/entries/001", |_| None), "has no bundle"),
        ("a statement withheld", lie("/statement/", |_| None), "is not given out"),
        ("a statement exchanged", lie("/statement/", |body| flip(body, 60)), "is not given out"),
        ("a forged checkpoint", lie("/checkpoint", |body| flip(body, 20)), "not trusted"),
        ("an archive withheld", lie("/checkpoints/after/", |_| Some(Vec::new())), "no proven sealing time"),
    ];
    for (name, lie, expected) in cases {
        let target = place.join(name);
        copy_setup(&data, &target);
        let said = refuse(&target, &lying_mirror(&log, lie));
        assert!(said.contains(expected), "{name}: {said}");
        if Path::new(&target).join("restoring").exists() {
            assert!(fail(&["serve", "--data", &target]).contains("begun and not ended"), "{name}");
        }
        // What was taken over was true.
        let said = restore(&target, &log);
        assert!(said.contains("Everything agrees."), "{name}: {said}");
        let service = Service::start(&target);
        assert_kept(&service, &promised[..50]);
    }
}

#[test]
fn a_mirror_of_another_history_is_refused() {
    let place = Place::new();
    let data = place.init("data");
    let service = Service::start(&data);
    service.fill(0, 100);
    service.stop();
    let forked = place.join("forked");
    copy_all(Path::new(&data), Path::new(&forked));
    let service = Service::start(&data);
    service.fill(1000, 300);
    service.stop();
    let fork = Service::start(&forked);
    fork.fill(2000, 500);
    // Signed by the same key, and every signature is valid.
    let said = refuse(&data, &fork.log());
    assert!(said.contains("not sound"), "{said}");
    succeed(&["fsck", "--data", &data]);

    // The same with entries that are not archived here yet: they are compared one by one.
    let other = place.join("other");
    succeed(&["init", "--data", &other, "--origin", "other.test/log"]);
    let stranger = Service::start(&other);
    assert!(refuse(&data, &stranger.log()).contains("not trusted"));
}

#[test]
fn a_restore_that_is_killed_at_any_moment_goes_on() {
    let place = Place::new();
    let data = place.init("data");
    let service = Service::start(&data);
    let promised = service.fill(0, 3000);
    let log = service.log();
    let restored = place.join("restored");
    copy_setup(&data, &restored);
    let mut kills = 0;
    for round in 0_u64.. {
        let mut child = program().args(["restore", "--data", &restored, "--from", &log]).spawn().unwrap();
        thread::sleep(Duration::from_millis(4 + 29 * round));
        let _ = child.kill();
        let status = child.wait().unwrap();
        if status.success() {
            break;
        }
        assert!(status.code().is_none(), "it ended by itself: {status}");
        kills += 1;
        if Path::new(&restored).join("restoring").exists() {
            assert!(fail(&["serve", "--data", &restored]).contains("begun and not ended"));
        }
    }
    assert!(kills > 0);
    drop(service);
    let service = Service::start(&restored);
    assert_kept(&service, &promised);
    service.stop();
    assert!(succeed(&["fsck", "--data", &restored]).contains("Everything agrees."));
    assert!(fs::metadata(Path::new(&restored).join("restoring")).is_err());
}

#[test]
fn clumsy_command_lines_are_told_what_is_wrong() {
    let place = Place::new();
    let data = place.init("data");
    assert!(fail(&["restore", "--data", &data]).contains("--backup"));
    let both = ["restore", "--data", &data, "--backup", "/nowhere", "--from", "https://m.test"];
    assert!(fail(&both).contains("cannot be used with"));
    assert!(fail(&["restore", "--data", &data, "--from", "http://m.test"]).contains("Plain HTTP"));
    let nothing = place.join("nothing");
    fs::create_dir(&nothing).unwrap();
    assert!(refuse(&nothing, "http://127.0.0.1:9/log").contains("Put config.toml"));
    // Nobody is there: nothing was touched.
    assert!(refuse(&data, "http://127.0.0.1:9/log").contains("did not answer"));
    succeed(&["fsck", "--data", &data]);
    // A running service holds the directory.
    let service = Service::start(&data);
    service.fill(0, 5);
    assert!(refuse(&data, &service.log()).contains("Another process is using"));
}
