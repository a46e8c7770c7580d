//! What somebody types to have an entry checked.

use protocol::Digest;
use protocol::chain::ToCheck;

/// The entry that is meant: a number, or the SHA-256 of a statement, in hexadecimal digits. Blanks and thousands
/// separators, as they come with copying, are passed over.
pub(crate) fn parse(typed: &str) -> Option<ToCheck> {
    let plain: String = typed
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, ',' | '，'))
        .collect::<String>()
        .to_lowercase();
    if plain.len() == 64 {
        return plain.parse::<Digest>().ok().map(ToCheck::Statement);
    }
    let is_number = !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit());
    // Beyond this no JavaScript number is exact, and no tree is this large.
    let index = is_number.then(|| plain.parse::<u64>().ok()).flatten();
    index.filter(|index| *index < 1 << 53).map(ToCheck::Index)
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn numbers_and_digests_are_understood_and_nothing_else() {
        assert_eq!(parse("0"), Some(ToCheck::Index(0)));
        assert_eq!(parse(" 12,345 \n"), Some(ToCheck::Index(12_345)));
        let digest = Digest::of(b"x");
        assert_eq!(parse(&digest.to_string().to_uppercase()), Some(ToCheck::Statement(digest)));
        assert_eq!(parse(&format!("  {digest}\n")), Some(ToCheck::Statement(digest)));
        // 64 digits are a digest, not a number.
        assert!(matches!(parse(&"7".repeat(64)), Some(ToCheck::Statement(_))));
        for none in
            ["", " ", "-1", "+1", "1.5", "0x10", "12a", "9007199254740992", &"g".repeat(64), &"a".repeat(63)]
        {
            assert_eq!(parse(none), None, "{none}");
        }
    }
}
