//! Ids and salts.

/// The system gives no random numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The system has no random numbers: {reason}.")]
pub struct RandomError {
    reason: String,
}

/// Fresh random bytes from the system.
///
/// # Errors
/// When the system has none.
pub fn bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| RandomError { reason: error.to_string() })?;
    Ok(bytes)
}
