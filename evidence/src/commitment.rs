//! Commitments to personal facts, and their disclosure: `docs/spec/statement.md`, "Commitments".

use serde::{Deserialize, Serialize};

use crate::cbor::{CborError, CborProblem, Reader, Writer};
use crate::ids::Digest;

/// A salted value is at most this long: a depositor of 256 bytes and its CBOR head.
const MAX_VALUE_LEN: usize = 260;
const MAX_DEPOSITOR_LEN: usize = 256;
const MAX_LATITUDE: i64 = 900_000_000;
const MAX_LONGITUDE: i64 = 1_800_000_000;

/// A position in units of 1e-7 degrees, WGS 84.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Latitude, −90° to 90°.
    pub latitude_e7: i64,
    /// Longitude, −180° to 180°.
    pub longitude_e7: i64,
    /// Accuracy in centimetres.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub accuracy_cm: Option<u32>,
}

/// Which fact a disclosure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DisclosedField {
    /// Where.
    Position,
    /// Who deposited.
    Depositor,
}

impl DisclosedField {
    const fn name(self) -> &'static str {
        match self {
            Self::Position => "position",
            Self::Depositor => "depositor",
        }
    }
}

/// What a disclosure says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DisclosedValue {
    /// Where.
    Position(Position),
    /// Who deposited.
    Depositor(String),
}

/// A fact that cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DisclosureError {
    /// Beyond the poles, or more than once around the earth.
    #[error("The position lies outside -90..90 degrees of latitude or -180..180 degrees of longitude.")]
    Position,
    /// Empty or longer than 256 bytes.
    #[error("The depositor has 1 to 256 bytes.")]
    Depositor,
}

/// A personal fact with the salt that its commitment was made with. Secret until its holder shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosure {
    salt: [u8; 16],
    value: DisclosedValue,
}

impl Disclosure {
    /// A position; `salt` comes fresh from the system's random source.
    pub fn position(salt: [u8; 16], position: &Position) -> Result<Self, DisclosureError> {
        if !position.is_on_earth() {
            return Err(DisclosureError::Position);
        }
        Ok(Self { salt, value: DisclosedValue::Position(*position) })
    }

    /// A depositor; `salt` comes fresh from the system's random source.
    pub fn depositor(salt: [u8; 16], depositor: &str) -> Result<Self, DisclosureError> {
        if !(1..=MAX_DEPOSITOR_LEN).contains(&depositor.len()) {
            return Err(DisclosureError::Depositor);
        }
        Ok(Self { salt, value: DisclosedValue::Depositor(depositor.to_owned()) })
    }

    /// Which fact it is about.
    pub fn field(&self) -> DisclosedField {
        match &self.value {
            DisclosedValue::Position(_) => DisclosedField::Position,
            DisclosedValue::Depositor(_) => DisclosedField::Depositor,
        }
    }

    /// What it says. Unverified until [`Disclosure::check`].
    pub fn value(&self) -> &DisclosedValue {
        &self.value
    }

    /// SHA-256(salt ‖ value): what the statement carries.
    pub fn commitment(&self) -> Digest {
        Digest::of_parts(&[&self.salt, &self.value_bytes()])
    }

    /// Whether it opens `commitment`.
    pub fn check(&self, commitment: &Digest) -> bool {
        self.commitment() == *commitment
    }

    /// The bytes of the CDDL type `disclosure`, for whoever keeps it apart from its statement.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.write(&mut w);
        w.into_bytes()
    }

    /// Parses what [`Disclosure::to_bytes`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Self, CborError> {
        let mut r = Reader::new(bytes);
        let disclosure = Self::read(&mut r)?;
        r.finish("end of the disclosure")?;
        Ok(disclosure)
    }

    fn value_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        match &self.value {
            DisclosedValue::Position(position) => {
                w.array(2 + usize::from(position.accuracy_cm.is_some()));
                w.int(position.latitude_e7).int(position.longitude_e7);
                if let Some(accuracy) = position.accuracy_cm {
                    w.uint(u64::from(accuracy));
                }
            }
            DisclosedValue::Depositor(depositor) => {
                w.text(depositor);
            }
        }
        w.into_bytes()
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.array(3).text(self.field().name()).bytes(&self.salt).bytes(&self.value_bytes());
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        r.array("disclosure", 3, 3)?;
        let field = match r.text("disclosure field", 1, 32)? {
            "position" => DisclosedField::Position,
            "depositor" => DisclosedField::Depositor,
            _ => return Err(r.error("disclosure field", CborProblem::OutOfRange)),
        };
        let salt = r.byte_array("disclosure salt")?;
        let bytes = r.bytes("disclosure value", MAX_VALUE_LEN)?;
        let disclosure = Self { salt, value: read_value(field, bytes)? };
        if disclosure.value_bytes() != bytes {
            return Err(r.error("disclosure value", CborProblem::NotDeterministic));
        }
        Ok(disclosure)
    }
}

impl Position {
    fn is_on_earth(&self) -> bool {
        self.latitude_e7.abs() <= MAX_LATITUDE && self.longitude_e7.abs() <= MAX_LONGITUDE
    }
}

fn read_value(field: DisclosedField, bytes: &[u8]) -> Result<DisclosedValue, CborError> {
    let mut r = Reader::new(bytes);
    let value = match field {
        DisclosedField::Position => DisclosedValue::Position(read_position(&mut r)?),
        DisclosedField::Depositor => {
            DisclosedValue::Depositor(r.text("depositor", 1, MAX_DEPOSITOR_LEN)?.to_owned())
        }
    };
    r.finish("end of the disclosure value")?;
    Ok(value)
}

fn read_position(r: &mut Reader<'_>) -> Result<Position, CborError> {
    let members = r.array("position", 2, 3)?;
    let position = Position {
        latitude_e7: r.signed("latitude")?,
        longitude_e7: r.signed("longitude")?,
        accuracy_cm: if members == 3 { Some(r.small("position accuracy")?) } else { None },
    };
    if !position.is_on_earth() {
        return Err(r.error("position", CborProblem::OutOfRange));
    }
    Ok(position)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Position =
        Position { latitude_e7: 399_042_000, longitude_e7: 1_164_074_000, accuracy_cm: Some(250) };

    fn decode(bytes: &[u8]) -> Result<Disclosure, CborError> {
        Disclosure::read(&mut Reader::new(bytes))
    }

    #[test]
    fn a_commitment_opens_with_its_salt_and_value_only() {
        let disclosure = Disclosure::position([1; 16], &HERE).unwrap();
        let commitment = disclosure.commitment();
        assert!(disclosure.check(&commitment));
        assert!(!Disclosure::position([2; 16], &HERE).unwrap().check(&commitment));
        let nearby = Position { latitude_e7: HERE.latitude_e7 + 1, ..HERE };
        assert!(!Disclosure::position([1; 16], &nearby).unwrap().check(&commitment));
    }

    #[test]
    fn disclosures_survive_writing_and_reading() {
        for disclosure in [
            Disclosure::position([1; 16], &HERE).unwrap(),
            Disclosure::position([1; 16], &Position { accuracy_cm: None, ..HERE }).unwrap(),
            Disclosure::depositor([3; 16], "张三").unwrap(),
        ] {
            let mut w = Writer::new();
            disclosure.write(&mut w);
            assert_eq!(decode(&w.into_bytes()), Ok(disclosure));
        }
    }

    #[test]
    fn impossible_facts_cannot_be_made() {
        for (latitude_e7, longitude_e7) in [(900_000_001, 0), (0, -1_800_000_001)] {
            let nowhere = Position { latitude_e7, longitude_e7, accuracy_cm: None };
            assert_eq!(Disclosure::position([0; 16], &nowhere), Err(DisclosureError::Position));
        }
        assert_eq!(Disclosure::depositor([0; 16], ""), Err(DisclosureError::Depositor));
        assert_eq!(Disclosure::depositor([0; 16], &"x".repeat(257)), Err(DisclosureError::Depositor));
    }

    #[test]
    fn a_second_spelling_of_a_value_is_refused() {
        let mut w = Writer::new();
        // the latitude 1 spelled in two bytes
        w.array(3).text("position").bytes(&[0; 16]).bytes(&[0x82, 0x18, 0x01, 0x01]);
        assert_eq!(decode(&w.into_bytes()).unwrap_err().problem, CborProblem::NotDeterministic);
    }
}
