//! Just enough HTML to move inline scripts into files. The input is our own page after Trunk, not arbitrary HTML.

use anyhow::{Context, bail};

use super::hook::name_digest;

/// Trunk's live-reload script carries this. It stays inline: `trunk serve` fills it in per request, and in the page only.
const RELOAD_MARK: &str = "{{__TRUNK_ADDRESS__}}";

/// A page without inline code, and the files its code went to.
pub(super) struct Externalised {
    pub(super) page: String,
    pub(super) scripts: Vec<Script>,
    /// Whether this is the page of `trunk serve`.
    pub(super) reloads_itself: bool,
}

/// A script that has become a file.
pub(super) struct Script {
    pub(super) name: String,
    pub(super) text: String,
}

/// Replaces each inline script by a reference to a file that is named after its content.
pub(super) fn externalise_scripts(page: &str, public_url: &str) -> anyhow::Result<Externalised> {
    let mut result = Externalised { page: String::new(), scripts: Vec::new(), reloads_itself: false };
    let mut rest = page;
    while let Some((before, element)) = split_at_script(rest)? {
        result.page.push_str(before);
        if element.text.contains(RELOAD_MARK) {
            result.reloads_itself = true;
            result.page.push_str(element.whole);
        } else if element.text.trim().is_empty() || element.is_data() {
            result.page.push_str(element.whole);
        } else {
            element.refuse_import_map()?;
            let text = element.text.trim().to_owned() + "\n";
            let name = format!("inline-{}.js", name_digest(text.as_bytes()));
            let attributes = element.attributes.trim_end();
            result.page.push_str(&format!("<script{attributes} src=\"{public_url}{name}\"></script>"));
            result.scripts.push(Script { name, text });
        }
        rest = element.after;
    }
    result.page.push_str(rest);
    Ok(result)
}

/// One `<script …>…</script>` of the page.
struct Element<'a> {
    whole: &'a str,
    /// What stands between `<script` and `>`.
    attributes: &'a str,
    text: &'a str,
    after: &'a str,
}

impl Element<'_> {
    /// Data blocks are not code; no policy forbids them.
    fn is_data(&self) -> bool {
        self.attributes.contains("application/json") || self.attributes.contains("application/ld+json")
    }

    fn refuse_import_map(&self) -> anyhow::Result<()> {
        if self.attributes.contains("importmap") {
            bail!(
                "index.html has an import map, which browsers take from inline code only, which our policy forbids"
            );
        }
        Ok(())
    }
}

/// Splits the page before its next script, skipping comments.
fn split_at_script(page: &str) -> anyhow::Result<Option<(&str, Element<'_>)>> {
    let mut from = 0;
    while let Some(found) = page[from..].find('<') {
        let start = from + found;
        let tail = &page[start..];
        if tail.starts_with("<!--") {
            let length = tail.find("-->").context("index.html has a comment that does not end")?;
            from = start + length;
        } else if is_script_tag(tail) {
            return Ok(Some((&page[..start], element(tail)?)));
        } else {
            from = start + 1;
        }
    }
    Ok(None)
}

fn is_script_tag(tail: &str) -> bool {
    let name_matches = tail.get(1..7).is_some_and(|name| name.eq_ignore_ascii_case("script"));
    name_matches && tail[7..].starts_with(|next: char| next.is_ascii_whitespace() || next == '>')
}

/// Reads the script element that `tail` begins with.
fn element(tail: &str) -> anyhow::Result<Element<'_>> {
    let open = tag_end(tail).context("index.html has a <script> tag that does not end")?;
    let body = &tail[open + 1..];
    // The text of a script ends at the first `</script`, whatever surrounds it.
    let length =
        body.to_ascii_lowercase().find("</script").context("index.html has a <script> without </script>")?;
    let close = tag_end(&body[length..]).context("index.html has a </script tag that does not end")?;
    let whole = open + 1 + length + close + 1;
    Ok(Element {
        whole: &tail[..whole],
        attributes: &tail[7..open],
        text: &body[..length],
        after: &tail[whole..],
    })
}

/// Where the tag that `tail` begins with ends; a `>` inside a quoted value is part of the value.
fn tag_end(tail: &str) -> Option<usize> {
    let mut quote = None;
    for (place, byte) in tail.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(place),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn externalise(page: &str) -> Externalised {
        externalise_scripts(page, "/").unwrap()
    }

    #[test]
    fn an_inline_script_becomes_a_file_and_keeps_its_attributes() {
        let result = externalise("<body><SCRIPT type=\"module\" data-x='a>b'>\nlet a = '<b>';\n</SCRIPT>end");
        assert_eq!(result.scripts.len(), 1);
        assert_eq!(result.scripts[0].text, "let a = '<b>';\n");
        let name = &result.scripts[0].name;
        let expected = format!("<body><script type=\"module\" data-x='a>b' src=\"/{name}\"></script>end");
        assert_eq!(result.page, expected);
    }

    #[test]
    fn what_is_not_inline_code_stays() {
        for page in [
            "<p>no script</p>",
            "<script src=\"/a.js\"></script>",
            "<!-- <script>off()</script> --><p>",
            "<script type=\"application/json\">{}</script>",
            "<scripture>text</scripture>",
            "鉴真<鉴",
        ] {
            let result = externalise(page);
            assert_eq!(result.page, page);
            assert!(result.scripts.is_empty());
        }
    }

    #[test]
    fn the_reload_script_of_trunk_serve_stays_and_is_noticed() {
        let page = "<script>const address = '{{__TRUNK_ADDRESS__}}';</script><script>a()</script>";
        let result = externalise(page);
        assert!(result.reloads_itself && result.page.contains("__TRUNK_ADDRESS__"));
        assert_eq!(result.scripts.len(), 1);
    }

    #[test]
    fn what_cannot_be_moved_is_refused() {
        for page in
            ["<script type=\"importmap\">{}</script>", "<script>a()", "<script type='", "<!-- <script>"]
        {
            assert!(externalise_scripts(page, "/").is_err(), "{page}");
        }
    }
}
