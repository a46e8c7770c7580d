//! How to check the chain without this page: with tools that others wrote.

use js_sys::Function;
use leptos::prelude::*;
use protocol::chain::{Guard, Rule};
use wasm_bindgen::{JsCast as _, JsValue};

use crate::chain::{ChainDesk, Seen};
use crate::i18n::{t, t_string, use_i18n};

/// What the commands need.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Subject {
    /// Address of the service, without a slash at its end.
    service: String,
    /// Key of the log.
    vkey: String,
    /// The witnesses' keys and how many are needed, where a plain number says it.
    quorum: Option<(Vec<String>, u32)>,
}

impl Subject {
    fn of(seen: &Seen, service: String) -> Option<Self> {
        let verified = seen.look.verified.as_ref().ok()?;
        let origin = verified.published.as_ref().map(|root| root.origin.as_str())?;
        let of_origin = |vkey: &&String| vkey.split('+').next() == Some(origin);
        // The last policy that names the chain: that of the newest period.
        let (guard, vkey) = verified
            .guards
            .iter()
            .rev()
            .find_map(|guard| Some((guard, guard.logs.iter().rev().find(of_origin)?)))?;
        Some(Self { service, vkey: vkey.clone(), quorum: plain_quorum(guard) })
    }

    fn fetch(&self) -> String {
        format!("curl -f {}", quoted(&format!("{}/log/checkpoint", self.service)))
    }

    /// Where the log is and who signs for it, as `aics-tlog` takes it.
    fn source(&self) -> String {
        let mut source = format!(
            "--tiles {} \\\n  --log-key {}",
            quoted(&format!("{}/log", self.service)),
            quoted(&self.vkey)
        );
        if let Some((vkeys, threshold)) = &self.quorum {
            for vkey in vkeys {
                source.push_str(&format!(" \\\n  --witness-key {}", quoted(vkey)));
            }
            source.push_str(&format!(" \\\n  --quorum {threshold}"));
        }
        source
    }

    fn verify(&self) -> String {
        format!(
            "pip install aics-tlog\naics-tlog verify-checkpoint {} \\\n  --save-checkpoint checkpoint.txt",
            self.source()
        )
    }

    fn consistency(&self) -> String {
        format!("aics-tlog verify-consistency --old-checkpoint checkpoint.txt {}", self.source())
    }

    fn fsck(&self) -> String {
        format!(
            "printf %s {} > log.vkey\ngo run github.com/transparency-dev/tessera/cmd/fsck@main --ui=false \\\n  \
             --storage_url={} --public_key=log.vkey",
            quoted(&self.vkey),
            quoted(&format!("{}/log/", self.service))
        )
    }

    fn registry(&self) -> String {
        format!(
            "curl -f -o trust.json {}\njianzhen-audit registry --server {} --trust trust.json",
            quoted(&format!("{}/trust.json", self.service)),
            quoted(&self.service)
        )
    }
}

/// Keys and number of a rule that is a number of witnesses.
fn plain_quorum(guard: &Guard) -> Option<(Vec<String>, u32)> {
    let key = |name: &str| {
        guard.witnesses.iter().find(|witness| witness.name == name).map(|witness| witness.vkey.clone())
    };
    match guard.quorum.as_ref()? {
        Rule::Witness(name) => Some((vec![key(name)?], 1)),
        Rule::Group { threshold, members } => {
            let names = crate::words::guard::plain(members)?;
            Some((names.into_iter().map(key).collect::<Option<_>>()?, *threshold))
        }
    }
}

/// As one word for a shell: what stands in a trust file must not become a command.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "+=/:.,_-".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    // No line breaks either: who copies a line should not copy two.
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The instructions.
#[component]
pub(super) fn Audit() -> impl IntoView {
    let i18n = use_i18n();
    let chain = expect_context::<ChainDesk>();
    let subject = Memo::new(move |_| {
        let service = window().location().origin().unwrap_or_default();
        chain.seen.with(|seen| seen.as_ref().and_then(|seen| Subject::of(seen, service))).unwrap_or_default()
    });
    let of = move |text: fn(&Subject) -> String| Signal::derive(move || subject.with(text));
    view! {
        <section class="sheet audit" hidden=move || subject.with(|subject| subject.vkey.is_empty())>
            <details class="screen-only">
                <summary>{t!(i18n, chain.audit.title)}</summary>
                <div class="inside">
                    <p>{t!(i18n, chain.audit.lead)}</p>
                    <dl class="facts">
                        <dt>{t!(i18n, chain.audit.address)}</dt>
                        <dd class="digest" data-log-address="">{move || subject.with(|subject| format!("{}/log", subject.service))}</dd>
                        <dt>{t!(i18n, chain.audit.key)}</dt>
                        <dd>
                            <span class="digest" data-log-vkey="">{move || subject.with(|subject| subject.vkey.clone())}</span>
                            <p class="source">{t!(i18n, chain.audit.key_warning)}</p>
                        </dd>
                    </dl>
                    <ol class="steps">
                        <li><p>{t!(i18n, chain.audit.fetch)}</p><Command text=of(Subject::fetch) /></li>
                        <li><p>{t!(i18n, chain.audit.verify)}</p><Command text=of(Subject::verify) /></li>
                        <li><p>{t!(i18n, chain.audit.consistency)}</p><Command text=of(Subject::consistency) /></li>
                        <li><p>{t!(i18n, chain.audit.fsck)}</p><Command text=of(Subject::fsck) /></li>
                        <li><p>{t!(i18n, chain.audit.registry)}</p><Command text=of(Subject::registry) /></li>
                    </ol>
                    <p class="source">{t!(i18n, chain.audit.docs)}</p>
                </div>
            </details>
        </section>
    }
}

/// A command, and the button that copies it where the browser lets a page do so.
#[component]
fn Command(text: Signal<String>) -> impl IntoView {
    let i18n = use_i18n();
    let is_copied = RwSignal::new(false);
    let copy = move |_| is_copied.set(copy_text(&text.get_untracked()).is_some());
    let label = move || {
        if is_copied.get() { t_string!(i18n, chain.audit.copied) } else { t_string!(i18n, chain.audit.copy) }
    };
    view! {
        <div class="command">
            <pre tabindex="0"><code>{move || text.get()}</code></pre>
            <button type="button" data-action="copy" hidden=clipboard().is_none() on:click=copy>
                <span aria-live="polite">{label}</span>
            </button>
        </div>
    }
}

/// Only pages that came over HTTPS, or from this machine, have one.
fn clipboard() -> Option<JsValue> {
    let clipboard = js_sys::Reflect::get(&window().navigator(), &"clipboard".into()).ok()?;
    clipboard.is_object().then_some(clipboard)
}

fn copy_text(text: &str) -> Option<JsValue> {
    let clipboard = clipboard()?;
    let write: Function = js_sys::Reflect::get(&clipboard, &"writeText".into()).ok()?.dyn_into().ok()?;
    write.call1(&clipboard, &text.into()).ok()
}

#[cfg(test)]
mod tests {
    use protocol::chain::Witness;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn what_an_operator_writes_into_a_trust_file_becomes_no_command() {
        assert_eq!(quoted("https://a.test/log"), "https://a.test/log");
        assert_eq!(quoted("log+1a2b+AZ/="), "log+1a2b+AZ/=");
        for (hostile, harmless) in [
            ("x; rm -rf ~", "'x; rm -rf ~'"),
            ("$(id)", "'$(id)'"),
            ("a'b", r"'a'\''b'"),
            ("a\nrm", "'arm'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(hostile), harmless);
        }
    }

    #[wasm_bindgen_test]
    fn a_number_of_witnesses_becomes_keys_and_a_quorum() {
        let witness = |name: &str| Witness { name: name.to_owned(), vkey: format!("key-{name}"), url: None };
        let name = |name: &str| Rule::Witness(name.to_owned());
        let mut guard = Guard {
            logs: Vec::new(),
            witnesses: vec![witness("a"), witness("b")],
            quorum: Some(Rule::Group { threshold: 1, members: vec![name("b"), name("a")] }),
            from: None,
            until: None,
        };
        assert_eq!(plain_quorum(&guard), Some((vec!["key-b".to_owned(), "key-a".to_owned()], 1)));
        let inner = Rule::Group { threshold: 1, members: vec![name("a")] };
        guard.quorum = Some(Rule::Group { threshold: 1, members: vec![inner, name("b")] });
        assert_eq!(plain_quorum(&guard), None, "no plain number says this");
        guard.quorum = None;
        assert_eq!(plain_quorum(&guard), None);
    }
}
