//! The scoring rules of Mozilla's HTTP Observatory (MDN), version 5, applied to every answer for people: the best grade, A+.
//!
//! Start at 100; penalties first; bonuses count only from 90 points on. A+ is 100 and more.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use jianzhen_server::http::{SecurityHeaders, router};
use jianzhen_server::page::Page;
use tower::ServiceExt as _;

use super::support::World;

struct Grade {
    score: i32,
    bonus: i32,
    notes: Vec<&'static str>,
}

impl Grade {
    fn penalty(&mut self, points: i32, note: &'static str) {
        self.score -= points;
        self.notes.push(note);
    }

    fn total(&self) -> i32 {
        if self.score >= 90 { self.score + self.bonus } else { self.score }
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

fn grade(headers: &HeaderMap, body: &str) -> Grade {
    let mut grade = Grade { score: 100, bonus: 0, notes: Vec::new() };
    content_security_policy(headers, &mut grade);
    if headers.contains_key("set-cookie") {
        grade.penalty(20, "cookies");
    }
    if header(headers, "access-control-allow-origin").is_some() {
        grade.penalty(50, "cross-origin resource sharing");
    }
    strict_transport_security(headers, &mut grade);
    match header(headers, "referrer-policy") {
        Some("no-referrer" | "same-origin" | "strict-origin" | "strict-origin-when-cross-origin") => {
            grade.bonus += 5
        }
        Some(_) => grade.penalty(5, "referrer-policy-unsafe"),
        None => {}
    }
    if header(headers, "x-content-type-options") != Some("nosniff") {
        grade.penalty(5, "x-content-type-options");
    }
    match header(headers, "cross-origin-resource-policy") {
        Some("same-origin" | "same-site") => grade.bonus += 10,
        Some("cross-origin") | None => {}
        Some(_) => grade.penalty(5, "cross-origin-resource-policy-invalid"),
    }
    // Subresource integrity: scripts of the own origin need none; scripts from elsewhere cost 5 to 50.
    if body.contains("src=\"http") || body.contains("src=\"//") {
        grade.penalty(50, "scripts from elsewhere");
    }
    grade
}

fn content_security_policy(headers: &HeaderMap, grade: &mut Grade) {
    let Some(policy) = header(headers, "content-security-policy") else {
        grade.penalty(25, "csp-not-implemented");
        return;
    };
    let directives: BTreeMap<&str, Vec<&str>> = policy
        .split(';')
        .filter_map(|directive| {
            let mut words = directive.split_whitespace();
            Some((words.next()?, words.collect()))
        })
        .collect();
    assert_eq!(directives.len(), policy.split(';').count(), "a directive is repeated or empty");
    let of = |name: &str| directives.get(name).or(directives.get("default-src")).cloned().unwrap_or_default();
    let wide =
        |source: &&str| matches!(*source, "*" | "http:" | "https:" | "data:" | "ftp:" | "'unsafe-inline'");
    if of("script-src").iter().any(&wide) || of("object-src").iter().any(&wide) {
        grade.penalty(20, "csp-implemented-with-unsafe-inline");
    } else if of("script-src").contains(&"'unsafe-eval'") {
        grade.penalty(10, "csp-implemented-with-unsafe-eval");
    } else if of("style-src").iter().any(wide) {
        grade.notes.push("csp-implemented-with-unsafe-inline-in-style-src-only");
    } else if policy.contains("http://") {
        grade.penalty(20, "csp-implemented-with-insecure-scheme");
    } else if directives.get("default-src").is_some_and(|sources| sources == &["'none'"]) {
        grade.bonus += 10;
    } else {
        grade.bonus += 5;
    }
    match directives.get("frame-ancestors").map(Vec::as_slice) {
        Some(["'none'" | "'self'"]) => grade.bonus += 5,
        _ => grade.penalty(20, "x-frame-options-not-implemented"),
    }
    // Not scored, but demanded: nothing can be posted elsewhere, and no base can be set.
    assert_eq!(directives.get("form-action"), Some(&vec!["'none'"]));
    assert_eq!(directives.get("base-uri"), Some(&vec!["'none'"]));
}

fn strict_transport_security(headers: &HeaderMap, grade: &mut Grade) {
    let Some(value) = header(headers, "strict-transport-security") else {
        grade.penalty(20, "hsts-not-implemented");
        return;
    };
    let age = value.split(';').find_map(|part| part.trim().strip_prefix("max-age=")).unwrap();
    if age.parse::<u64>().unwrap() < 15_768_000 {
        grade.penalty(10, "hsts-implemented-max-age-less-than-six-months");
    }
}

#[tokio::test]
async fn every_answer_for_people_gets_the_best_grade() {
    let world = World::new().await;
    let running = world.start().await;
    let dist = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("index.html", "<!doctype html><script type=\"module\" src=\"/boot.js\"></script>"),
        ("boot.js", "1"),
        ("worker.js", "2"),
        ("web-0123456789abcdef_bg.wasm", "\0asm"),
        ("style-0123456789abcdef.css", "body{}"),
    ] {
        std::fs::write(dist.path().join(name), text).unwrap();
    }
    let page = Page::load(dist.path()).unwrap();
    let headers = SecurityHeaders::new(&world.trust, true);
    let router = router(running.service.clone(), page, &world.limits, headers);
    for (method, path) in [
        ("GET", "/"),
        ("HEAD", "/"),
        ("GET", "/index.html"),
        ("GET", "/boot.js"),
        ("GET", "/worker.js"),
        ("GET", "/web-0123456789abcdef_bg.wasm"),
        ("GET", "/style-0123456789abcdef.css"),
        ("GET", "/nothing"),
        ("POST", "/"),
        ("GET", "/trust.json"),
        ("GET", "/api/v1/chain"),
        ("GET", "/api/v1/openapi.json"),
        ("GET", "/api/v1/statements"),
        ("POST", "/api/v1/evidence/lookup"),
        ("GET", "/healthz"),
        ("GET", "/metrics"),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert!(!response.status().is_redirection());
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let grade = grade(&parts.headers, &String::from_utf8_lossy(&body));
        assert!(grade.total() >= 100, "{method} {path}: {} {:?}", grade.total(), grade.notes);
        assert_eq!(grade.total(), 130, "{method} {path}: {:?}", grade.notes);
        for name in ["cross-origin-opener-policy", "cross-origin-embedder-policy", "permissions-policy"] {
            assert!(parts.headers.contains_key(name), "{method} {path}: {name}");
        }
    }
}

#[test]
fn the_rules_can_fail() {
    let mut headers = HeaderMap::new();
    assert!(grade(&headers, "").total() < 60);
    headers.insert(
        "content-security-policy",
        "default-src 'none'; script-src 'unsafe-inline'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'"
            .parse()
            .unwrap(),
    );
    headers.insert("strict-transport-security", "max-age=63072000".parse().unwrap());
    headers.insert("x-content-type-options", "nosniff".parse().unwrap());
    assert_eq!(grade(&headers, "").total(), 80);
}
