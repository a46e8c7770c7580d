//! Statements that are missing because the log was restored from a mirror, and come back.

use super::commit::{Facts, insert_facts};
use super::projection::Projected;
use super::{Store, StoreError, to_column};
use crate::intake::Returned;

impl Store {
    /// Fills in the bytes of a statement that was sealed and is missing, and everything that hangs on it, in one transaction.
    /// Says whether it was missing. Entry, tree and receipts are as they were.
    pub async fn fill(&self, returned: &Returned) -> Result<bool, StoreError> {
        let submission = returned.submission();
        let statement = &submission.statement;
        let Some(place) = self.find(&statement.digest()).await?.filter(|place| place.missing) else {
            return Ok(false);
        };
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        // The condition again: somebody else may have filled it in since.
        let filled =
            sqlx::query("UPDATE entries SET statement = ? WHERE idx = ? AND digest = ? AND statement = x''")
                .bind(statement.bytes())
                .bind(to_column(place.index.get())?)
                .bind(statement.digest().as_bytes().as_slice())
                .execute(&mut *transaction)
                .await?;
        if filled.rows_affected() != 1 {
            return Ok(false);
        }
        let place = Projected { index: place.index, statement, blocks: &submission.blocks };
        insert_facts(&mut transaction, &[Facts { place, disclosures: &submission.disclosures }]).await?;
        transaction.commit().await?;
        Ok(true)
    }
}
