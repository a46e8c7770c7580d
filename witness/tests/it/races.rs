//! Many at once: of all that would contradict each other, one wins.

use std::collections::BTreeMap;
use std::sync::Arc;

use tlog::SignedNote;

use crate::support::{TestLog, World};

/// The race of the specification: a slow request for a small tree and a fast one for a larger one; and forks of every size against each
/// other. All cosignatures that were ever handed out must lie on one history.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn no_two_cosignatures_are_ever_inconsistent() {
    let honest = TestLog::of(60, "a");
    let logs: Arc<Vec<TestLog>> =
        Arc::new((0..4).map(|number| honest.forked(3, 60, &format!("story {number}"))).collect());
    for round in 0..30 {
        let world = Arc::new(World::of(&honest).await);
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..32_u64 {
            let (world, logs) = (world.clone(), logs.clone());
            tasks.spawn(async move {
                let log = &logs[usize::try_from(task % 4).unwrap()];
                let mut cosigned = Vec::new();
                let mut old = 0;
                for step in 0..6 {
                    let new = (old + 1 + (task + step + round) % 9).min(60);
                    let answer = world.post(log.request(old, new)).await;
                    match answer.status.as_u16() {
                        200 => {
                            cosigned.push((new, log.note(new)));
                            old = new;
                        }
                        // Whoever lost the race goes on from where the witness is.
                        409 => old = answer.text().trim_end().parse::<u64>().unwrap().min(60),
                        422 => {}
                        other => panic!("{other}: {}", answer.text()),
                    }
                }
                cosigned
            });
        }
        let mut seen: BTreeMap<u64, SignedNote> = BTreeMap::new();
        while let Some(cosigned) = tasks.join_next().await {
            for (size, note) in cosigned.unwrap() {
                let other = seen.insert(size, note.clone());
                assert!(other.is_none_or(|other| other.text() == note.text()), "two trees of size {size}");
            }
        }
        // All on one of the histories. Below the fork they are the same.
        let beyond: Vec<_> = seen.iter().filter(|(size, _)| **size > 3).collect();
        assert!(!beyond.is_empty());
        let on_one =
            logs.iter().any(|log| beyond.iter().all(|(size, note)| log.note(**size).text() == note.text()));
        assert!(on_one, "cosignatures on several histories");
        let newest = world.newest().await.unwrap();
        assert_eq!(newest.text(), seen.values().next_back().unwrap().text(), "the newest is the largest");
    }
}

/// "Requests being answered: 64": the others are told to come back, and nothing is half done.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn more_than_can_be_answered_come_back_later() {
    let log = TestLog::of(3, "a");
    let world = Arc::new(World::of(&log).await);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..500 {
        let (world, body) = (world.clone(), log.request(0, 3));
        tasks.spawn(async move { world.post(body).await });
    }
    let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
    while let Some(answer) = tasks.join_next().await {
        let answer = answer.unwrap();
        if answer.status == 503 {
            assert_eq!(answer.code(), "overloaded");
            assert!(answer.headers.contains_key("retry-after"));
        }
        *counts.entry(answer.status.as_u16()).or_default() += 1;
    }
    assert_eq!(counts.get(&200), Some(&1), "{counts:?}");
    assert!(counts.keys().all(|status| [200, 409, 503].contains(status)), "{counts:?}");
}
