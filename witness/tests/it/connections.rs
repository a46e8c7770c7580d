//! Clients that are slow, silent, half gone or many: the witness keeps answering the others.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::process::{Installation, Process, post};
use crate::support::TestLog;

/// Asks until answered; a connection may be refused while all places are taken by connections that were silent for less than a second.
fn ask(process: &Process, body: &str) -> u16 {
    for _ in 0..600 {
        if let Some((status, _)) = process.post(body) {
            return status;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the witness does not answer");
}

fn connect(process: &Process) -> TcpStream {
    let stream = TcpStream::connect(process.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

#[test]
fn idle_connections_by_the_hundred_keep_nobody_out() {
    let log = TestLog::of(20, "a");
    let installation = Installation::of(&log);
    // A timeout that the test does not wait for: it is their silence that costs them their places.
    installation.configure("[limits]\nconnections = 50\nbody_timeout_s = 600\n");
    let process = installation.serve(&[]);
    let idle: Vec<TcpStream> = (0..400).map(|_| connect(&process)).collect();
    assert_eq!(ask(&process, &log.request(0, 10)), 200);
    // Some that have begun to say something.
    let begun: Vec<TcpStream> = (0..100)
        .map(|number| {
            let mut stream = connect(&process);
            let _ = stream.write_all(if number % 2 == 0 {
                b"POST /add-checkpoint HTTP/1.1\r\n"
            } else {
                b"\x16\x03\x01"
            });
            stream
        })
        .collect();
    assert_eq!(ask(&process, &log.request(10, 20)), 200);
    drop((idle, begun));
}

#[test]
fn bodies_that_drip_keep_nobody_out() {
    let log = TestLog::of(20, "a");
    let installation = Installation::of(&log);
    installation.configure("[limits]\nbody_timeout_s = 2\n");
    let process = installation.serve(&[]);
    let drip = |length: usize| {
        let mut stream = connect(&process);
        write!(stream, "POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: {length}\r\n\r\nold 1")
            .unwrap();
        stream
    };
    let mut streams: Vec<TcpStream> =
        (0..100).map(|_| drip(4000)).chain((0..100).map(|_| drip(400_000))).collect();
    assert_eq!(ask(&process, &log.request(0, 10)), 200);
    // Each is told in the end, and none was ever more than a place among many.
    for (number, stream) in streams.iter_mut().enumerate() {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(status == "408" || (number >= 100 && status == "503"), "{number}: {answer}");
    }
}

#[test]
fn headers_that_drip_are_given_up() {
    let installation = Installation::of(&TestLog::of(1, "a"));
    installation.configure("[limits]\nbody_timeout_s = 1\n");
    let process = installation.serve(&[]);
    let mut stream = connect(&process);
    stream.write_all(b"POST /add-checkpoint HTTP/1.1\r\n").unwrap();
    let mut writer = stream.try_clone().unwrap();
    std::thread::spawn(move || {
        while writer.write_all(b"x-drip: 1\r\n").is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let mut answer = Vec::new();
    // Closed or reset: either way it ends.
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}

#[test]
fn half_closed_pipelined_and_nonsensical_requests() {
    let log = TestLog::of(30, "a");
    let installation = Installation::of(&log);
    let process = installation.serve(&[]);
    // The client says all it has to say and closes its half; it may be answered or not, and nobody else minds.
    let mut half = connect(&process);
    half.write_all(post(&log.request(0, 10)).as_bytes()).unwrap();
    half.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    let _ = half.read_to_string(&mut answer);
    // Half a body, and gone.
    let mut gone = connect(&process);
    gone.write_all(&post(&log.request(0, 10)).as_bytes()[..150]).unwrap();
    drop(gone);
    for nonsense in [
        &b"\x00\x01\x02"[..],
        b"GET\r\n\r\n",
        b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: -1\r\n\r\n",
        b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: 99999999999999999999\r\n\r\n",
        b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense of some length, to be sure",
    ] {
        let mut stream = connect(&process);
        stream.write_all(nonsense).unwrap();
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{nonsense:?}");
    }
    // Two requests in one breath are answered one after the other.
    let in_one_breath = |at| {
        let mut stream = connect(&process);
        let first = post(&log.request(at, 20)).replace("connection: close\r\n", "");
        stream.write_all(format!("{first}{}", post(&log.request(20, 30))).as_bytes()).unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        answers
    };
    // Whether the half-closed request was taken up is known for certain only by asking: it may be until after its connection is gone.
    let mut answers = in_one_breath(0);
    if answers.contains("HTTP/1.1 409") {
        assert_eq!(process.newest().unwrap().text(), log.note(10).text());
        answers = in_one_breath(10);
    }
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
    assert_eq!(process.newest().unwrap().text(), log.note(30).text());
}
