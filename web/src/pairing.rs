//! Which evidence file goes with which video, when both are dropped in any order. Names are only a hint: whether
//! evidence identifies a file is decided by its digests.

/// Whether the name of an evidence file says that it belongs to the file: `a.mp4.evidence` or `a.evidence` for `a.mp4`.
pub(crate) fn names_match(file: &str, evidence: &str) -> bool {
    let Some(stem) = strip_extension(evidence, "evidence") else {
        return false;
    };
    stem == file || file.rsplit_once('.').is_some_and(|(base, _)| base == stem)
}

/// Whether the name ends like an evidence file's.
pub(crate) fn has_evidence_extension(name: &str) -> bool {
    strip_extension(name, "evidence").is_some()
}

fn strip_extension<'a>(name: &'a str, extension: &str) -> Option<&'a str> {
    let (base, last) = name.rsplit_once('.')?;
    last.eq_ignore_ascii_case(extension).then_some(base)
}

/// For each file the indices of the evidence to supply with it: what bears its name, else everything that bears no
/// file's name.
pub(crate) fn pair(files: &[&str], evidence: &[&str]) -> Vec<Vec<usize>> {
    let indices = |wanted: &dyn Fn(&str) -> bool| -> Vec<usize> {
        evidence.iter().enumerate().filter(|(_, name)| wanted(name)).map(|(index, _)| index).collect()
    };
    let homeless = indices(&|name| !files.iter().any(|file| names_match(file, name)));
    files
        .iter()
        .map(|file| {
            let own = indices(&|name| names_match(file, name));
            if own.is_empty() { homeless.clone() } else { own }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn evidence_goes_to_the_file_of_its_name() {
        let pairs = pair(&["a.mp4", "b.mp4"], &["b.mp4.evidence", "a.evidence"]);
        assert_eq!(pairs, [vec![1], vec![0]]);
    }

    #[wasm_bindgen_test]
    fn evidence_of_no_files_name_goes_to_all_that_have_none() {
        let pairs = pair(&["renamed.mp4", "b.mp4"], &["b.mp4.evidence", "case 12.EVIDENCE"]);
        assert_eq!(pairs, [vec![1], vec![0]]);
    }

    #[wasm_bindgen_test]
    fn a_file_without_evidence_is_looked_up() {
        assert_eq!(pair(&["a.mp4", "b.mp4"], &["a.mp4.evidence"]), [vec![0], vec![]]);
    }

    #[wasm_bindgen_test]
    fn a_name_that_only_looks_alike_is_no_match() {
        assert!(!names_match("aa.mp4", "a.evidence"));
        assert!(!names_match("a.mp4", "a.mp4"));
        assert!(!names_match("evidence", "evidence"));
        assert!(has_evidence_extension("录像.mp4.Evidence"));
        assert!(!has_evidence_extension("evidence"));
    }
}
