//! Randomness for the order within a batch.

/// The operating system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("The operating system gave no randomness: {0}.")]
pub struct RandomError(getrandom::Error);

/// Puts `items` in a random order (Fisher-Yates), so that the order within a batch tells nothing about who sent what when.
pub fn shuffle<T>(items: &mut [T]) -> Result<(), RandomError> {
    for last in (1..items.len()).rev() {
        items.swap(last, below(last + 1)?);
    }
    Ok(())
}

/// A number below `bound`. Taking 64 bits modulo a batch size is biased by less than 2^-50, which reveals nothing.
fn below(bound: usize) -> Result<usize, RandomError> {
    let random = getrandom::u64().map_err(RandomError)?;
    let bound_wide = u64::try_from(bound).unwrap_or(u64::MAX);
    Ok(usize::try_from(random % bound_wide).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffling_keeps_every_item_and_changes_the_order() {
        let sorted: Vec<u32> = (0..200).collect();
        let mut shuffled = sorted.clone();
        shuffle(&mut shuffled).unwrap();
        assert_ne!(shuffled, sorted);
        shuffled.sort_unstable();
        assert_eq!(shuffled, sorted);
        shuffle::<u8>(&mut []).unwrap();
    }
}
