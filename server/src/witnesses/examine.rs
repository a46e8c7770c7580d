//! What a witness saw last, compared with this log: the only way in which a log that was restored from an older copy learns that it
//! once had more.

use tlog::{Checkpoint, Hash, SignedNote, TreeHead, TreeSize, VerifierKey};

use super::client::AskError;
use super::our_log::{OurLog, OurLogError};
use super::{State, Witness};

/// A witness holds a checkpoint of this log, signed by this log and cosigned by the witness, that is no stage of the tree in the
/// database. One of the two histories is false, and going on would prove to everybody that there are two.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WitnessContradiction {
    /// The witness has seen more.
    #[error(
        "The witness {witness} has cosigned {theirs} entries of this log, but the database holds {ours}: it was restored from an older copy. Going on would fork the log."
    )]
    Ahead {
        /// The witness's name.
        witness: String,
        /// The size it has cosigned.
        theirs: TreeSize,
        /// The size in the database.
        ours: TreeSize,
    },
    /// The witness has seen something else.
    #[error(
        "The witness {witness} has cosigned {size} entries of this log with the root {theirs}, but the first {size} of the {committed} entries in the database have the root {ours}: it was restored from an older copy and went on from there. The log is forked."
    )]
    Forked {
        /// The witness's name.
        witness: String,
        /// The size it has cosigned.
        size: TreeSize,
        /// The size in the database.
        committed: TreeSize,
        /// The root it has cosigned.
        theirs: Hash,
        /// The root of as many entries here.
        ours: Hash,
    },
}

/// Why a witness gave nothing of use.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// No answer, a refusal, or nonsense.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// Its answer does not verify, or states a time that cannot be.
    #[error("Its answer is not usable: {0}.")]
    Unusable(String),
    /// This log's own trouble; the witness is not to blame.
    #[error(transparent)]
    Own(#[from] OurLogError),
    /// The log must stop.
    #[error(transparent)]
    Contradiction(#[from] WitnessContradiction),
}

impl Trouble {
    /// How the chain page calls it; `None` if it is not the witness's.
    pub fn state(&self) -> Option<State> {
        match self {
            Self::Ask(AskError::Silent(_)) => Some(State::Silent),
            Self::Ask(AskError::Refused { .. }) => Some(State::Refusing),
            Self::Ask(AskError::Unusable(_)) | Self::Unusable(_) => Some(State::Unusable),
            Self::Contradiction(_) => Some(State::Contradicting),
            Self::Own(_) => None,
        }
    }
}

/// Asks what the witness saw last. `Ok` is the size, which is a stage of this log; zero if it never saw any.
pub async fn examine(witness: &Witness, log: &OurLog) -> Result<TreeSize, Trouble> {
    let Some(client) = &witness.client else {
        return Err(AskError::Silent("the trust file names no address".to_owned()).into());
    };
    let Some(bytes) = client.newest().await? else { return Ok(TreeSize::ZERO) };
    let theirs = verified(&bytes, log, &witness.key).map_err(Trouble::Unusable)?;
    compare(witness, theirs, log).await?;
    Ok(theirs.size)
}

/// The tree of a checkpoint that this log signed and the witness cosigned.
fn verified(bytes: &[u8], log: &OurLog, witness: &VerifierKey) -> Result<TreeHead, String> {
    let sentence = |error: &dyn std::fmt::Display| error.to_string().trim_end_matches('.').to_owned();
    let note = SignedNote::parse(bytes).map_err(|error| sentence(&error))?;
    let checkpoint = Checkpoint::unverified(&note).map_err(|error| sentence(&error))?;
    if checkpoint.origin() != log.origin {
        return Err("the checkpoint is another log's".to_owned());
    }
    note.verify(&log.keys).map_err(|error| sentence(&error))?;
    note.verify(std::slice::from_ref(witness)).map_err(|error| sentence(&error))?;
    Ok(checkpoint.head())
}

async fn compare(witness: &Witness, theirs: TreeHead, log: &OurLog) -> Result<(), Trouble> {
    let committed = log.committed().await?;
    if theirs.size > committed {
        let witness = witness.name.clone();
        return Err(WitnessContradiction::Ahead { witness, theirs: theirs.size, ours: committed }.into());
    }
    let ours = log.root(theirs.size).await?;
    if ours != theirs.root {
        return Err(WitnessContradiction::Forked {
            witness: witness.name.clone(),
            size: theirs.size,
            committed,
            theirs: theirs.root,
            ours,
        }
        .into());
    }
    Ok(())
}
