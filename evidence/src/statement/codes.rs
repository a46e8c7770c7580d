//! Enumerations that are small integers on the wire and kebab-case words in reports.

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value, in the order of the codes.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The integer that stands for it in a statement.
            pub const fn code(self) -> u64 {
                match self { $(Self::$variant => $code,)+ }
            }

            pub(crate) fn read(
                r: &mut crate::cbor::Reader<'_>,
                field: &'static str,
            ) -> Result<Self, crate::cbor::CborError> {
                match r.uint(field, u64::MAX)? {
                    $($code => Ok(Self::$variant),)+
                    _ => Err(r.error(field, crate::cbor::CborProblem::OutOfRange)),
                }
            }
        }
    };
}

pub(crate) use codes;
