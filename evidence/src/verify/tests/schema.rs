//! The JSON schemas in `docs/spec` say exactly what the program writes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::world::{World, examine, examine_online, noise, video};
use crate::commitment::Position;
use crate::examination::LookupAnswer;
use crate::report::{
    AlarmKind, ErrorCode, FindingName, MismatchKind, ReasonCode, Report, RootSource, RootsAlarm, RootsFacts,
    SignedRoot, State, SubjectKind, Verdict, WitnessFacts, WitnessStanding, WitnessState,
};
use crate::statement::{ClockSource, EndReason, Event, EventKind, Percent, Role, SelfCheck};
use crate::trust::Window;
use crate::{Digest, UnixMillis, UnixSeconds};

struct Schema {
    root: Value,
    /// Properties of objects that some instance had, by the address of the object's schema.
    seen: BTreeSet<String>,
}

impl Schema {
    fn load(name: &str) -> Self {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/spec").join(name);
        Self { root: serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap(), seen: BTreeSet::new() }
    }

    fn check(&mut self, instance: &Value) -> Result<(), String> {
        let root = self.root.clone();
        self.check_at(&root, "#", instance)
    }

    /// A small validator; a keyword that it does not know is an error, so that nothing is silently ignored.
    fn check_at(&mut self, schema: &Value, address: &str, instance: &Value) -> Result<(), String> {
        let fail = |what: &str| Err(format!("{address}: {what}: {instance}"));
        for (keyword, value) in schema.as_object().ok_or("a schema is an object")? {
            let holds = match keyword.as_str() {
                "$schema" | "$id" | "$defs" | "title" | "description" | "required" => true,
                "$ref" => {
                    let name = value.as_str().unwrap();
                    let target = self.root.pointer(name.trim_start_matches('#')).cloned();
                    self.check_at(&target.ok_or("dangling $ref")?, name, instance)?;
                    true
                }
                "const" => value == instance,
                "enum" => value.as_array().unwrap().contains(instance),
                "type" => is_type(value.as_str().unwrap(), instance),
                "minimum" => instance.as_i64() >= value.as_i64(),
                "maximum" => instance.as_i64() <= value.as_i64(),
                "minItems" => instance.as_array().is_some_and(|a| a.len() as u64 >= value.as_u64().unwrap()),
                "maxItems" => instance.as_array().is_some_and(|a| a.len() as u64 <= value.as_u64().unwrap()),
                "pattern" => matches(value.as_str().unwrap(), instance.as_str().unwrap()),
                "items" => {
                    for item in instance.as_array().ok_or("not an array")? {
                        self.check_at(value, &format!("{address}[]"), item)?;
                    }
                    true
                }
                "additionalProperties" => *value == Value::Bool(false),
                "properties" => {
                    self.check_properties(schema, address, instance)?;
                    true
                }
                other => return fail(&format!("unknown keyword {other}")),
            };
            if !holds {
                return fail(keyword);
            }
        }
        Ok(())
    }

    fn check_properties(&mut self, schema: &Value, address: &str, instance: &Value) -> Result<(), String> {
        let object = instance.as_object().ok_or("not an object")?;
        for required in schema["required"].as_array().unwrap() {
            if !object.contains_key(required.as_str().unwrap()) {
                return Err(format!("{address}: {required} is missing"));
            }
        }
        for (name, value) in object {
            let property =
                schema["properties"].get(name).ok_or(format!("{address}: {name} is not in the schema"))?;
            let address = format!("{address}/{name}");
            self.check_at(property, &address, value)?;
            self.seen.insert(address);
        }
        Ok(())
    }

    /// Every property that the schema names, by address.
    fn properties(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        collect(&self.root, "#", &mut all);
        for (name, definition) in self.root["$defs"].as_object().unwrap() {
            collect(definition, &format!("#/$defs/{name}"), &mut all);
        }
        all
    }
}

fn collect(schema: &Value, address: &str, all: &mut BTreeSet<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let address = format!("{address}/{name}");
        collect(property, &address, all);
        all.insert(address);
    }
}

fn is_type(name: &str, instance: &Value) -> bool {
    match name {
        "object" => instance.is_object(),
        "array" => instance.is_array(),
        "string" => instance.is_string(),
        "boolean" => instance.is_boolean(),
        "integer" => instance.is_i64() || instance.is_u64(),
        other => panic!("unknown type {other}"),
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    match pattern {
        "^[0-9a-f]{64}$" => text.len() == 64 && hex(text),
        "^[0-9a-f]{32}$" => text.len() == 32 && hex(text),
        "^[A-Za-z0-9+/]{43}=$" => text.len() == 44 && tlog::Hash::from_base64(text).is_ok(),
        other => panic!("unknown pattern {other}"),
    }
}

/// Fills in whatever may be absent.
fn complete(mut report: Report) -> Report {
    let somewhere = Position { latitude_e7: -900_000_000, longitude_e7: 1_800_000_000, accuracy_cm: Some(1) };
    let percent = Percent::try_from(100).ok();
    report.reason = Some(ErrorCode::OtherFile);
    report.file.sha256 = Some(Digest::of(b""));
    let subject = report.subject.as_mut().unwrap();
    subject.deposited_at = Some(UnixMillis::EPOCH);
    subject.sealing_delay_ms = Some(-5);
    subject.self_check = Some(SelfCheck {
        clock_offset_ms: Some(-3),
        clock_source: Some(ClockSource::Gnss),
        firmware: Some(Digest::of(b"")),
        free_storage: Some(1),
        network: Some(false),
        battery: percent,
        position_fix: Some(true),
    });
    subject.media_type = Some("video/mp4".to_owned());
    subject.depositor = Some("张三".to_owned());
    subject.position = Some(somewhere);
    subject.revoked_from = Some(UnixMillis::EPOCH);
    subject.revocations_as_of = Some(UnixMillis::EPOCH);
    let telemetry = &mut report.telemetry[0];
    telemetry.battery = percent;
    telemetry.events =
        EventKind::ALL.iter().map(|kind| Event { at: UnixMillis::EPOCH, kind: *kind }).collect();
    telemetry.position = Some(somewhere);
    let chain = report.chain.as_mut().unwrap();
    chain.proven_sealing_time = Some(UnixSeconds::new(1));
    chain.witnesses = vec![WitnessFacts { name: "w1".to_owned(), time: UnixSeconds::new(1) }];
    let root = |source| SignedRoot { source, name: Some("w1".to_owned()), size: 1, note: "…".to_owned() };
    report.roots = Some(RootsFacts {
        witnesses: vec![WitnessStanding { name: "w1".to_owned(), state: WitnessState::Contradicts }],
        alarm: Some(RootsAlarm {
            kind: AlarmKind::Forked,
            ours: root(RootSource::Anchor),
            theirs: root(RootSource::Witness),
        }),
    });
    report
}

#[test]
fn reports_are_what_the_schema_says() {
    let mut world = World::new();
    let mut chunks = video(1);
    let recording = world.record(1, &chunks);
    let trust = world.trust();
    let evidence = std::slice::from_ref(&recording.evidence);
    let deposit = world.deposit(2, Role::Account, &noise(2, 2_000_000));
    let consistent = examine(&recording.bytes, &[], evidence, &trust);
    let excerpt = examine(&chunks[..2].concat(), &[], evidence, &trust);
    chunks.swap(1, 2);
    chunks.push(vec![0; 10]);
    let inconsistent = examine(&chunks.concat(), &super::world::ranges(&chunks), evidence, &trust);
    let mut broken = recording.evidence.clone();
    broken.receipts.pop();
    let invalid = examine(&recording.bytes, &[], &[broken], &trust);
    let unknown = examine_online(&noise(9, 5000), &[], &LookupAnswer::Found(Vec::new()), &trust);
    let other = examine(&noise(9, 5000), &[], evidence, &trust);
    let deposited = examine(&deposit.bytes, &[], &[deposit.evidence], &trust);
    let reports = [
        (Verdict::Consistent, consistent.clone()),
        (Verdict::Excerpt, excerpt.clone()),
        (Verdict::Inconsistent, inconsistent),
        (Verdict::EvidenceInvalid, invalid),
        (Verdict::NotDeposited, unknown),
        (Verdict::NotCompleted, other),
        (Verdict::Consistent, deposited),
        (Verdict::Excerpt, complete(excerpt)),
    ];
    let mut schema = Schema::load("report.schema.json");
    for (verdict, report) in reports {
        assert_eq!(report.verdict, verdict);
        schema.check(&serde_json::to_value(&report).unwrap()).unwrap();
    }
    let never: Vec<_> = schema.properties().difference(&schema.seen).cloned().collect();
    assert_eq!(never, Vec::<String>::new(), "the schema names what no report has");

    let mut stray = serde_json::to_value(&consistent).unwrap();
    stray["chain"]["now"] = Value::from(1);
    assert!(schema.check(&stray).is_err(), "the check can fail");
}

#[test]
fn the_words_of_the_schema_are_the_words_of_the_program() {
    let schema = Schema::load("report.schema.json");
    let words = |name: &str| schema.root["$defs"][name]["enum"].clone();
    let of = |values: Vec<String>| Value::from(values);
    macro_rules! same {
        ($name:literal, $type:ty) => {
            let all = <$type>::ALL.iter().map(ToString::to_string).collect();
            assert_eq!(words($name), of(all), $name);
        };
    }
    same!("verdict", Verdict);
    same!("error-code", ErrorCode);
    same!("finding-name", FindingName);
    same!("state", State);
    same!("reason-code", ReasonCode);
    same!("mismatch-kind", MismatchKind);
    same!("alarm-kind", AlarmKind);
    same!("root-source", RootSource);
    same!("witness-state", WitnessState);
    let inline = |pointer: &str| schema.root.pointer(pointer).unwrap().clone();
    let json = |values: Vec<Value>| Value::from(values);
    macro_rules! same_inline {
        ($pointer:literal, $type:ty) => {
            let all = <$type>::ALL.iter().map(|value| serde_json::to_value(value).unwrap()).collect();
            assert_eq!(inline($pointer), json(all), $pointer);
        };
    }
    same_inline!("/$defs/subject/properties/kind/enum", SubjectKind);
    same_inline!("/$defs/subject/properties/end_reason/enum", EndReason);
    same_inline!("/$defs/self-check/properties/clock_source/enum", ClockSource);
    same_inline!("/$defs/event/properties/kind/enum", EventKind);
}

#[test]
fn every_word_is_explained_in_the_specification() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/spec/verdict.md");
    let text = std::fs::read_to_string(path).unwrap();
    let words = Verdict::ALL.iter().map(ToString::to_string);
    let words = words.chain(ErrorCode::ALL.iter().map(ToString::to_string));
    let words = words.chain(FindingName::ALL.iter().map(ToString::to_string));
    let words = words.chain(ReasonCode::ALL.iter().map(ToString::to_string));
    let words = words.chain(MismatchKind::ALL.iter().map(ToString::to_string));
    let missing: Vec<_> = words.filter(|word| !text.contains(&format!("`{word}`"))).collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn trust_files_are_what_the_schema_says() {
    let world = World::witnessed();
    let window = Window { from: Some(UnixSeconds::new(1)), until: Some(UnixSeconds::new(2)) };
    let operator = crate::Operator {
        name: "测试公证处".to_owned(),
        url: Some("https://notary.example/".to_owned()),
    };
    let plain = world.trust();
    let full = world.trust_with(window, Some(world.head()), window);
    let full =
        crate::TrustFile::compose(operator, full.logs(), &[(full.registrars()[0].vkey.clone(), window)]);
    let mut schema = Schema::load("trust.schema.json");
    for trust in [plain, full.unwrap()] {
        schema.check(&serde_json::from_slice(trust.bytes()).unwrap()).unwrap();
    }
    let never: Vec<_> = schema.properties().difference(&schema.seen).cloned().collect();
    assert_eq!(never, Vec::<String>::new());
}
