//! The two textual encodings that all formats share, each with exactly one accepted spelling per value.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Why a number is not the decimal that the C2SP formats ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// The text is empty.
    #[error("The number is empty.")]
    Empty,
    /// A character other than `0` to `9`, a sign and white space included.
    #[error("The number contains a character that is not an ASCII digit.")]
    NotADigit,
    /// `01` would be a second spelling of `1`.
    #[error("The number has a leading zero.")]
    LeadingZero,
    /// The value does not fit its type.
    #[error("The number is too large.")]
    TooLarge,
}

/// Parses an ASCII decimal without sign, white space or leading zeroes.
pub(crate) fn parse_decimal(text: &str) -> Result<u64, DecimalError> {
    if text.is_empty() {
        return Err(DecimalError::Empty);
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(DecimalError::NotADigit);
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err(DecimalError::LeadingZero);
    }
    text.parse().map_err(|_| DecimalError::TooLarge)
}

/// Encodes as RFC 4648 §4 base64 with padding.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes RFC 4648 §4 base64; padding and trailing bits must be canonical, so that encoding gives the text back.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Decodes the base64 of exactly `N` bytes without allocating for longer input.
pub(crate) fn array_from_base64<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N.div_ceil(3) * 4 {
        return None;
    }
    from_base64(text)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_one_spelling() {
        assert_eq!(parse_decimal("0"), Ok(0));
        assert_eq!(parse_decimal("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(parse_decimal(""), Err(DecimalError::Empty));
        assert_eq!(parse_decimal("00"), Err(DecimalError::LeadingZero));
        assert_eq!(parse_decimal("07"), Err(DecimalError::LeadingZero));
        assert_eq!(parse_decimal("18446744073709551616"), Err(DecimalError::TooLarge));
        for text in ["+1", "-1", " 1", "1 ", "1_000", "0x1", "１"] {
            assert_eq!(parse_decimal(text), Err(DecimalError::NotADigit), "{text}");
        }
    }

    #[test]
    fn base64_has_one_spelling() {
        assert_eq!(from_base64("AA==").as_deref(), Some(&[0][..]));
        // Trailing bits set, padding missing, padding doubled, URL alphabet, white space.
        for text in ["AB==", "AA", "AA=", "AA==AA==", "-_==", "AA==\n", " AA=="] {
            assert_eq!(from_base64(text), None, "{text}");
        }
        assert_eq!(array_from_base64::<1>("AA=="), Some([0]));
        assert_eq!(array_from_base64::<1>("AAA="), None);
        assert_eq!(array_from_base64::<32>("AA=="), None);
    }
}
