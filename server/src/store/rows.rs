//! Writing and finding many rows with few statements. Each statement is a question to SQLite's own thread and an answer from it: for a
//! batch of hundreds of entries that is most of the work.

use sqlx::query_builder::Separated;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::StoreError;

/// Rows of one statement, from the most. Few sizes, so that each statement is prepared once; the most columns of all (5) times the most
/// rows stay far below SQLite's 32,766 parameters.
const SIZES: [usize; 3] = [64, 8, 1];

/// `items` in pieces of these sizes.
pub(super) fn pieces<T>(mut items: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= items.len())?;
        let (piece, rest) = items.split_at(size);
        items = rest;
        Some(piece)
    })
}

/// `insert` (all of the statement before `VALUES`) for every one of `rows`, in order; `bind` binds the columns of one.
pub(super) async fn insert_rows<T>(
    connection: &mut SqliteConnection,
    insert: &'static str,
    rows: &[T],
    mut bind: impl FnMut(&mut Separated<'_, Sqlite, &'static str>, &T),
) -> Result<(), StoreError> {
    for piece in pieces(rows) {
        let mut query = QueryBuilder::new(insert);
        query.push_values(piece, |mut row, item| bind(&mut row, item));
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_everything_in_order_in_few_sizes() {
        for count in [0, 1, 7, 8, 63, 64, 200] {
            let items: Vec<usize> = (0..count).collect();
            let found: Vec<&[usize]> = pieces(&items).collect();
            assert_eq!(found.concat(), items);
            assert!(found.iter().all(|piece| SIZES.contains(&piece.len())));
            assert!(found.len() <= count / 64 + 14);
        }
    }
}
