//! The Ed25519 keys of devices, accounts and registrars. Signatures are checked strictly, one by one.

use std::fmt;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::ids::KeyDigest;

/// A public key: a canonically encoded curve point that is not of small order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// 32 bytes that are no acceptable public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// Not 32 bytes.
    #[error("An Ed25519 public key has 32 bytes, not {0}.")]
    Length(usize),
    /// The bytes decode to no point of the curve.
    #[error("The bytes are no point of the Ed25519 curve.")]
    NotAPoint,
    /// The point has another, shorter encoding; two spellings of one key would have two key digests.
    #[error("The Ed25519 public key is not encoded canonically.")]
    NotCanonical,
    /// Anybody can sign for a key of small order.
    #[error("The Ed25519 public key is of small order.")]
    SmallOrder,
}

impl PublicKey {
    /// Parses the 32-byte encoding of RFC 8032.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        let bytes: &[u8; 32] = bytes.try_into().map_err(|_| PublicKeyError::Length(bytes.len()))?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| PublicKeyError::NotAPoint)?;
        if key.is_weak() {
            return Err(PublicKeyError::SmallOrder);
        }
        if key.to_edwards().compress().as_bytes() != bytes {
            return Err(PublicKeyError::NotCanonical);
        }
        Ok(Self(key))
    }

    /// The encoding of RFC 8032.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Whether `signature` over `message` is by this key, by the rules of `verify_strict`.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", hex::encode(self.as_bytes()))
    }
}

/// The secret key of a device, an account or a registrar. Erased from memory when dropped.
pub struct DeviceKey(SigningKey);

impl DeviceKey {
    /// The key with this RFC 8032 secret; the caller draws it from the system's random source and erases its copy.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The `kid` that statements by this key carry.
    pub fn digest(&self) -> KeyDigest {
        KeyDigest::of(&self.public())
    }

    /// Signs `message` as it is.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({})", self.digest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_anybody_could_sign_for_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(PublicKey::from_bytes(&identity), Err(PublicKeyError::SmallOrder));
        assert_eq!(PublicKey::from_bytes(&[0; 32]), Err(PublicKeyError::SmallOrder));
    }

    #[test]
    fn a_second_spelling_of_a_point_is_refused() {
        // y = 3 is on the curve and not of small order; p + 3 spells the same point.
        let mut canonical = [0; 32];
        canonical[0] = 3;
        let mut other = [0xff; 32];
        other[0] = 0xf0;
        other[31] = 0x7f;
        assert!(PublicKey::from_bytes(&canonical).is_ok());
        assert_eq!(PublicKey::from_bytes(&other), Err(PublicKeyError::NotCanonical));
    }

    #[test]
    fn bytes_off_the_curve_and_other_lengths_are_refused() {
        let mut off = [0; 32];
        off[0] = 2;
        assert_eq!(PublicKey::from_bytes(&off), Err(PublicKeyError::NotAPoint));
        assert_eq!(PublicKey::from_bytes(&[1; 31]), Err(PublicKeyError::Length(31)));
    }

    #[test]
    fn debug_never_shows_the_secret() {
        let key = DeviceKey::from_seed([7; 32]);
        assert!(!format!("{key:?}").contains("0707"));
    }
}
