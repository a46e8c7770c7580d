//! The HTTP surface apart from evidence: the page, operators' routes, limits, problems.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use evidence::Submission;
use futures_util::stream;
use jianzhen_server::http::{SecurityHeaders, router};
use jianzhen_server::page::Page;

use super::support::{NOW_MS, Running, World, content, problem_code};

#[tokio::test]
async fn operators_and_integrators_get_their_answers() {
    let world = World::new().await;
    let running = world.start().await;
    let (status, _, body) = running.get("/healthz").await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"ok\n"[..]));
    let (status, _, _) = running.get("/readyz").await;
    assert_eq!(status, StatusCode::OK);
    let (_, headers, body) = running.get("/trust.json").await;
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(&body[..], world.trust.bytes());

    let (_, _, body) = running.get("/api/v1/chain").await;
    let chain: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(chain["size"], 0);
    assert_eq!(chain.get("age"), None);
    running.seal_one(Submission::of(world.snapshot(vec![]))).await;
    world.clock.set(NOW_MS + 7000);
    let (_, _, body) = running.get("/api/v1/chain").await;
    let chain: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&chain["size"], &chain["age"]), (&1.into(), &7.into()));
    assert_eq!(chain["published"], NOW_MS / 1000);

    let (_, _, body) = running.get("/metrics").await;
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(text.contains("jianzhen_statements_sealed_total 1\n"), "{text}");
    assert!(
        text.contains("jianzhen_http_responses_total{route=\"/api/v1/statements\",status=\"200\"} 1\n"),
        "{text}"
    );
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn the_openapi_document_names_every_route_and_every_problem() {
    let world = World::new().await;
    let running = world.start().await;
    let (_, _, body) = running.get("/api/v1/openapi.json").await;
    let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let paths = document["paths"].as_object().unwrap();
    for (path, operations) in paths {
        let path = path.replace("{kid}", &"0".repeat(64)).replace("{statement}", &"0".repeat(64));
        let path = path.replace("{address}", "0/000").replace("{index}", "0").replace("{size}", "7");
        for method in operations.as_object().unwrap().keys() {
            let request = Request::builder().method(method.to_uppercase().as_str()).uri(&path);
            let (status, _, body) = running.send(request.body(Body::empty()).unwrap()).await;
            assert_ne!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            let documented = &operations[method]["responses"];
            assert!(documented.get(status.as_str()).is_some(), "{method} {path}: {status}");
            if status.is_client_error() {
                let known =
                    document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"].as_array();
                let code = format!("/problems/{}", problem_code(&body));
                assert!(known.unwrap().contains(&code.into()), "{method} {path}");
            }
        }
    }
    let specification = include_str!("../../../docs/spec/http.md");
    for path in paths.keys().filter(|path| *path != "/log/tile/{address}") {
        assert!(specification.contains(path.as_str()), "{path} is missing from docs/spec/http.md");
    }
    let codes =
        document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"].as_array().unwrap();
    for code in codes {
        let code = code.as_str().unwrap().strip_prefix("/problems/").unwrap();
        assert!(specification.contains(&format!("`{code}`")), "{code} is missing from docs/spec/http.md");
    }
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_problems() {
    let world = World::new().await;
    let running = world.start().await;
    for path in
        ["/nothing", "/log", "/log/", "/api", "/..", "/%2e%2e/log.key", "/log.key", "/config.toml", "//"]
    {
        let (status, headers, body) = running.get(path).await;
        assert_eq!((status, problem_code(&body).as_str()), (StatusCode::NOT_FOUND, "not-found"), "{path}");
        assert_eq!(headers["content-type"], "application/problem+json");
        assert_eq!(headers["cache-control"], "no-store");
    }
    for (method, path) in [("DELETE", "/log/checkpoint"), ("GET", "/api/v1/statements"), ("PUT", "/anything")]
    {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let (status, headers, body) = running.send(request).await;
        assert_eq!(
            (status, problem_code(&body).as_str()),
            (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed")
        );
        assert!(headers.contains_key("allow"), "{method} {path}");
    }
}

/// A body that never ends.
fn endless() -> Body {
    Body::from_stream(stream::pending::<Result<Bytes, Infallible>>())
}

#[tokio::test]
async fn requests_beyond_the_limit_come_back_later_and_operators_still_see() {
    let mut world = World::new().await;
    world.limits.requests = 1.try_into().unwrap();
    let running = world.start().await;
    let router = running.router.clone();
    let hanging = tokio::spawn(async move {
        let request = Request::post("/api/v1/statements").header("content-type", "application/cbor-seq");
        tower::ServiceExt::oneshot(router, request.body(endless()).unwrap()).await
    });
    // On this runtime's one thread the other task runs until it waits for its body: it has the only place.
    tokio::task::yield_now().await;
    let (status, headers, body) = running.get("/api/v1/chain").await;
    assert_eq!((status, problem_code(&body).as_str()), (StatusCode::SERVICE_UNAVAILABLE, "overloaded"));
    assert!(headers.contains_key("retry-after"));
    let (status, _, _) = running.get("/healthz").await;
    assert_eq!(status, StatusCode::OK);
    hanging.abort();
    let _ = hanging.await;
    let (status, _, _) = running.get("/api/v1/chain").await;
    assert_eq!(status, StatusCode::OK);
}

/// Bodies that drip in take no place from those that are there: neither from a live recording nor from somebody who looks up a file.
#[tokio::test]
async fn slow_bodies_do_not_keep_others_out() {
    let mut world = World::new().await;
    world.limits.submissions = 1.try_into().unwrap();
    world.limits.lookups = 1.try_into().unwrap();
    let running = world.start().await;
    let mut slow = Vec::new();
    for (path, content_type) in
        [("/api/v1/statements", "application/cbor-seq"), ("/api/v1/evidence/lookup", "application/cbor")]
    {
        let router = running.router.clone();
        let request = Request::post(path).header("content-type", content_type).body(endless()).unwrap();
        slow.push(tokio::spawn(tower::ServiceExt::oneshot(router, request)));
    }
    tokio::task::yield_now().await;
    // An enrolment and a recording of a few statements, then the lookup.
    let device = world.with_device(&running).await;
    let recording = device.record(1, &[content(1)]);
    running.seal(&recording.submissions).await;
    assert_eq!(running.lookup(recording.tokens(0..1)).await.len(), 1);
    // Large ones wait for one another: 4 MiB each.
    let large = [device.large_deposit(2, 4000)];
    let (status, body) = running.submit(&large).await;
    assert_eq!((status, problem_code(&body).as_str()), (StatusCode::SERVICE_UNAVAILABLE, "overloaded"));
    slow.iter().for_each(tokio::task::JoinHandle::abort);
    for task in slow {
        let _ = task.await;
    }
    let (status, _) = running.submit(&large).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let mut world = World::new().await;
    world.limits.body_timeout_s = 0;
    let running = world.start().await;
    let request = Request::post("/api/v1/statements").header("content-type", "application/cbor-seq");
    let (status, _, body) = running.send(request.body(endless()).unwrap()).await;
    assert_eq!((status, problem_code(&body).as_str()), (StatusCode::REQUEST_TIMEOUT, "request-timeout"));
}

async fn with_page(world: &World) -> Running {
    let mut running = world.start().await;
    let dist = tempfile::tempdir().unwrap();
    std::fs::create_dir(dist.path().join("style")).unwrap();
    for (name, text) in [
        ("index.html", "<!doctype html>"),
        ("worker.js", "plain"),
        ("worker.js.br", "compressed"),
        ("web-0123456789abcdef.js", "hashed"),
        ("style/main-0123456789abcdef.css", "body{}"),
    ] {
        std::fs::write(dist.path().join(name), text).unwrap();
    }
    let page = Page::load(dist.path()).unwrap();
    let headers = SecurityHeaders::new(&world.trust, false);
    running.router = router(running.service.clone(), page, &world.limits, headers);
    running
}

#[tokio::test]
async fn the_page_is_compressed_and_cached() {
    let world = World::new().await;
    let running = with_page(&world).await;
    let (status, headers, body) = running.get("/").await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"<!doctype html>"[..]));
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(headers["cache-control"], "no-cache");
    let (_, headers, _) = running.get("/web-0123456789abcdef.js").await;
    assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable");
    let (_, headers, _) = running.get("/style/main-0123456789abcdef.css").await;
    assert_eq!(headers["content-type"], "text/css; charset=utf-8");

    let (_, headers, body) = running.get("/worker.js").await;
    assert_eq!(&body[..], b"plain");
    assert_eq!(headers["vary"], "accept-encoding");
    assert!(!headers.contains_key("content-encoding"));
    let plain_tag = headers["etag"].clone();
    let accepting = || Request::get("/worker.js").header("accept-encoding", "gzip, br");
    let (_, headers, body) = running.send(accepting().body(Body::empty()).unwrap()).await;
    assert_eq!(&body[..], b"compressed");
    assert_eq!(headers["content-encoding"], "br");
    assert_ne!(headers["etag"], plain_tag);
    let known = accepting().header("if-none-match", headers["etag"].clone());
    let (status, _, body) = running.send(known.body(Body::empty()).unwrap()).await;
    assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0));
    // The compressed file is no address of its own.
    assert_eq!(running.get("/worker.js.br").await.0, StatusCode::NOT_FOUND);
    let head = Request::head("/worker.js").body(Body::empty()).unwrap();
    let (status, _, body) = running.send(head).await;
    assert_eq!((status, body.len()), (StatusCode::OK, 0));
}
