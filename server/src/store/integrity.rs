//! What only the whole database can say: for `fsck`.

use evidence::{DisclosedField, Disclosure, Payload, Statement};
use futures_util::TryStreamExt as _;
use sqlx::Row as _;

use super::{Store, StoreError};

/// Sentences that are passed on.
const MAX_SENTENCES: usize = 20;

impl Store {
    /// What SQLite's own check of pages, tables and indexes says; empty if all is well.
    pub async fn integrity(&self) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query("PRAGMA integrity_check(20)").fetch_all(&self.readers).await?;
        let sentences = rows.iter().map(|row| row.try_get::<String, _>(0)).collect::<Result<Vec<_>, _>>()?;
        Ok(sentences.into_iter().filter(|sentence| sentence != "ok").take(MAX_SENTENCES).collect())
    }

    /// Block digests and disclosures that belong to no statement, or that theirs does not commit to, as sentences.
    pub async fn loose_facts(&self) -> Result<Vec<String>, StoreError> {
        let mut sentences = Vec::new();
        let row =
            sqlx::query("SELECT count(*) AS n FROM blocks WHERE digest NOT IN (SELECT digest FROM entries)")
                .fetch_one(&self.readers)
                .await?;
        match row.try_get::<i64, _>("n")? {
            0 => {}
            n => sentences.push(format!("The block digests of {n} statements belong to no entry.")),
        }
        let mut rows = sqlx::query(
            "SELECT entries.idx, entries.statement, disclosures.disclosure \
             FROM disclosures LEFT JOIN entries ON entries.digest = disclosures.digest",
        )
        .fetch(&self.readers);
        while let Some(row) = rows.try_next().await? {
            let (index, statement): (Option<i64>, Option<Vec<u8>>) = (row.try_get(0)?, row.try_get(1)?);
            let sentence = match (index, statement) {
                (Some(_), Some(statement)) if is_committed(&statement, row.try_get(2)?) => continue,
                (Some(index), _) => {
                    format!("Entry {index}: a disclosure is not one that its statement commits to.")
                }
                (None, _) => "A disclosure belongs to no entry.".to_owned(),
            };
            if sentences.len() < MAX_SENTENCES {
                sentences.push(sentence);
            }
        }
        Ok(sentences)
    }
}

fn is_committed(statement: &[u8], disclosure: &[u8]) -> bool {
    let (Ok(statement), Ok(disclosure)) = (Statement::parse(statement), Disclosure::parse(disclosure)) else {
        return false;
    };
    let commitment = match (disclosure.field(), statement.payload()) {
        (DisclosedField::Position, payload) => payload.position(),
        (DisclosedField::Depositor, Payload::Deposit(deposit)) => deposit.depositor,
        (DisclosedField::Depositor, _) => None,
    };
    commitment.is_some_and(|commitment| disclosure.check(&commitment))
}
